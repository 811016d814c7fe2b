import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { ApiError } from "../http/errors.ts";
import type { VerifiedIdentity } from "../users/identity-queries.ts";
import type { TelegramLogin } from "./schemas.ts";

const maxAgeSeconds = 24 * 60 * 60;
/** Telegram's clock may be ahead of ours by this much. */
const skewSeconds = 60;

// Rule: https://core.telegram.org/widgets/login#checking-authorization; throws `invalid_telegram_login`.
export function verifyTelegramLogin({ hash, ...fields }: TelegramLogin, botToken: string): VerifiedIdentity {
  const signed = Object.entries(fields)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join("\n");
  const key = createHash("sha256").update(botToken).digest();
  const expected = createHmac("sha256", key).update(signed).digest();
  const given = Buffer.from(hash, "hex");
  const age = Date.now() / 1_000 - fields.auth_date;
  if (
    given.length !== expected.length ||
    !timingSafeEqual(given, expected) ||
    age > maxAgeSeconds ||
    age < -skewSeconds
  )
    throw new ApiError("invalid_telegram_login", "Telegram did not sign this within the last 24 hours");
  return { provider: "telegram", provider_id: String(fields.id), username: fields.username ?? null };
}

/** Throws `telegram_disabled` without a bot token. Runs before the body is validated. */
export async function requireTelegram({ server }: FastifyRequest) {
  if (server.settings.telegramBotToken === undefined)
    throw new ApiError("telegram_disabled", "Sign-in through Telegram is disabled");
}
