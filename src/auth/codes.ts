// One-time codes: made, hashed, tried, used.
import { createHmac, randomInt, timingSafeEqual } from "node:crypto";
import type { Settings } from "../config.ts";
import type { Db, Pool } from "../db/pool.ts";
import { ApiError } from "../http/errors.ts";
import { consumeAttempt, type LiveCode, markCodeUsed, type Purpose } from "./code-queries.ts";

/** Six digits, each code as likely as another. */
export const randomCode = () => String(randomInt(1_000_000)).padStart(6, "0");

/**
 * A million codes are tried in a second against any hash that a thief can compute. So the hash has a key that is not
 * in the database, the secret of the tokens; its words tell it apart from whatever else that secret signs.
 */
export const hashCode = (secret: string, codeId: string, code: string) =>
  createHmac("sha256", secret).update(`code ${codeId} ${code}`).digest();

/** The live code of this address that these digits are; it has then one use left. Uses up a try. */
export async function verifyCode(
  { sql, settings }: { sql: Pool; settings: Settings },
  { purposes, email, code }: { purposes: Purpose[]; email: string; code: string },
): Promise<LiveCode | undefined> {
  const tried = await consumeAttempt(sql, purposes, email);
  return tried.find(({ id, code_hash }) =>
    settings.jwtSecrets.some((secret) => timingSafeEqual(code_hash, hashCode(secret, id, code.trim()))),
  );
}

/** Uses a code; throws `invalid_code` if another request was first. */
export async function redeemCode(tx: Db, code: LiveCode) {
  if (!(await markCodeUsed(tx, code))) throw invalidCode();
}

export const invalidCode = () => new ApiError("invalid_code", "The code is wrong, expired or used up");
