import { createHash, createHmac } from "node:crypto";

export const botToken = "123456:a-token-of-the-tests";

type Fields = Record<string, string | number>;

/** Returns the fields of Telegram's widget, signed as Telegram does; `auth_date` is now unless given. */
export function telegramLogin(fields: Fields = {}, token = botToken): Fields {
  const signed: Fields = {
    id: 42,
    first_name: "Ann",
    username: "ann",
    auth_date: Math.floor(Date.now() / 1_000),
    ...fields,
  };
  const lines = Object.keys(signed)
    .sort()
    .map((key) => `${key}=${signed[key]}`)
    .join("\n");
  const key = createHash("sha256").update(token).digest();
  return { ...signed, hash: createHmac("sha256", key).update(lines).digest("hex") };
}
