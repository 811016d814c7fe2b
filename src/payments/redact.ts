// What a provider answers is kept whole, but for what nobody should read later.

const secretKey = /token|authorization|passw|secret|cookie|cardnumber|cvv|cvc|apikey/;
const isSecret = (key: string) => secretKey.test(key.toLowerCase().replace(/[^a-z]/g, ""));

// In text that is no JSON: the word, what separates, the value.
const secretInText =
  /((?:token|authorization|passw\w*|secret|card.?number|cvv|cvc|api.?key)\w*["']?\s*[:=]\s*["']?(?:bearer\s+)?)[^\s"'&,;<>]+/gi;

// PostgreSQL's parser recurses, and so does ours: a body that nests deeper is kept as text.
const maxDepth = 64;

/**
 * Takes a body as it came; gives its JSON, or its text, fit for a jsonb column, with the value of each secret key
 * replaced at any depth.
 */
export function redactBody(body: string): unknown {
  if (nesting(body) <= maxDepth) {
    try {
      return JSON.parse(body, (key, value) =>
        isSecret(key) && value !== null ? "[redacted]" : storable(value),
      );
    } catch {
      // Not JSON.
    }
  }
  return storable(body.replace(secretInText, "$1[redacted]"));
}

export const redactHeaders = (
  headers: Record<string, string | string[] | undefined>,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      isSecret(name) ? "[redacted]" : storable(String(value)),
    ]),
  );

/** jsonb holds neither NUL nor half a surrogate pair. */
const storable = <T>(value: T): T =>
  typeof value === "string" ? (value.replaceAll("\0", "").toWellFormed() as T) : value;

function nesting(body: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of body) {
    if (character === "{" || character === "[") deepest = Math.max(deepest, ++depth);
    else if (character === "}" || character === "]") depth--;
  }
  return deepest;
}
