import { createHmac, randomInt, timingSafeEqual } from "node:crypto";
import type { Settings } from "../config.ts";
import type { Db, Pool } from "../db/pool.ts";
import { ApiError } from "../http/errors.ts";
import { consumeAttempt, type LiveCode, markCodeUsed, type Purpose } from "./code-queries.ts";

export const randomCode = () => String(randomInt(1_000_000)).padStart(6, "0");

// Keyed, because a plain hash of six digits is broken in a second. The prefix separates other uses of the secret.
export const hashCode = (secret: string, codeId: string, code: string) =>
  createHmac("sha256", secret).update(`code ${codeId} ${code}`).digest();

/** Returns the live code of this address that has these digits. Counts an attempt. */
export async function verifyCode(
  { sql, settings }: { sql: Pool; settings: Settings },
  { purposes, email, code }: { purposes: Purpose[]; email: string; code: string },
): Promise<LiveCode | undefined> {
  const live = await consumeAttempt(sql, purposes, email);
  return live.find(({ id, code_hash }) =>
    settings.jwtSecrets.some((secret) => timingSafeEqual(code_hash, hashCode(secret, id, code.trim()))),
  );
}

export async function redeemCode(tx: Db, code: LiveCode) {
  if (!(await markCodeUsed(tx, code))) throw invalidCode();
}

export const invalidCode = () => new ApiError("invalid_code", "The code is wrong, expired or already used");
