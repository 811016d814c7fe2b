// Removes secrets from what a provider sent, before it is logged and stored.

const secretKey =
  /token|authorization|passw|pwd|secret|cookie|card(no$|num)|securitycode|cvv|cvc|apikey|^pan$/;
const lettersOf = (key: string) => key.toLowerCase().replace(/[^a-z]/g, "");

/** Returns whether a value is secret by its key, or a card's number by its place. */
function isSecret(letters: string, value: unknown, inCard: boolean): boolean {
  if (secretKey.test(letters)) return true;
  if (!inCard || typeof value === "object") return false;
  return letters === "number" || /^(\D?\d){12,19}$/.test(String(value));
}

// In text: a word, a separator, the value. Every repetition is bounded, so that a crafted body can't take quadratic time.
const secretInText =
  /((?:token|authorization|passw|pwd|secret|card.?(?:no\b|num)|cvv|cvc|api.?key)\w{0,20}["']?\s{0,5}[:=]\s{0,5}["']?(?:bearer\s{1,5})?)[^\s"'&,;<>]+/gi;
const cardInText = /\b((?:card.?(?:no|num\w{0,20})|pan|cvv|cvc)\d?\W{1,5})\d(?:[ -]?\d)*/gi;

// PostgreSQL's JSON parser recurses, as `redact` does.
const maxDepth = 64;

/** Returns JSON or text for a jsonb column. Replaces secrets, and values nested more than 64 levels deep. */
export function redactBody(body: string): unknown {
  try {
    return redact(JSON.parse(body));
  } catch {
    return redactText(body);
  }
}

function redact(value: unknown, inCard = false, depth = 1): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth > maxDepth) return "[nested too deep]";
  if (Array.isArray(value)) return value.map((item) => redact(item, inCard, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const letters = lettersOf(key);
      const ofCard = inCard || letters.includes("card");
      if (item !== null && isSecret(letters, item, ofCard)) return [storable(key), "[redacted]"];
      return [storable(key), redact(item, ofCard, depth + 1)];
    }),
  );
}

const redactText = (text: string) =>
  storable(text).replace(secretInText, "$1[redacted]").replace(cardInText, "$1[redacted]");

export const redactHeaders = (
  headers: Record<string, string | string[] | undefined>,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      secretKey.test(lettersOf(name)) ? "[redacted]" : storable(String(value)),
    ]),
  );

/** jsonb can store neither NUL nor a lone surrogate. */
const storable = (text: string) => text.replaceAll("\0", "").toWellFormed();
