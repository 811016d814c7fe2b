import { hash } from "node:crypto";
import { ApiError } from "../http/errors.ts";

/** A request's Idempotency-Key and the request itself. Only these hashes are stored. */
export interface RequestKey {
  keyHash: Buffer | null;
  requestHash: Buffer;
}

const sha256 = (content: string | Buffer) => hash("sha256", content, "buffer");

/** Throws `invalid_idempotency_key` unless the header is missing or 1 to 255 visible ASCII characters. */
export function readRequestKey(header: string | string[] | undefined, request: unknown): RequestKey {
  const requestHash = sha256(canonical(request));
  if (header === undefined) return { keyHash: null, requestHash };
  if (typeof header !== "string" || !/^[\x21-\x7e]{1,255}$/.test(header))
    throw new ApiError(
      "invalid_idempotency_key",
      "Idempotency-Key must be 1 to 255 visible ASCII characters",
    );
  return { keyHash: sha256(header), requestHash };
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part) =>
    part !== null && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** Returns the key of PostgreSQL's advisory lock for (customer, key): 64 bits of their hash. */
export const advisoryLockKey = (customerId: string, keyHash: Buffer): bigint =>
  sha256(Buffer.concat([Buffer.from(customerId), keyHash])).readBigInt64BE();
