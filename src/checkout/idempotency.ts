import { hash } from "node:crypto";
import { ApiError } from "../http/errors.ts";

/** A placement's Idempotency-Key and its request, both only as hashes: all that is ever stored of them. */
export interface PlacementKey {
  keyHash: Buffer | null;
  requestHash: Buffer;
}

const sha256 = (content: string | Buffer) => hash("sha256", content, "buffer");

/**
 * Takes the header and what is asked for. Throws `invalid_idempotency_key` unless the header is missing or 1 to 255
 * visible ASCII characters.
 */
export function readPlacementKey(header: string | string[] | undefined, request: unknown): PlacementKey {
  const requestHash = sha256(canonical(request));
  if (header === undefined) return { keyHash: null, requestHash };
  if (typeof header !== "string" || !/^[\x21-\x7e]{1,255}$/.test(header))
    throw new ApiError(
      "invalid_idempotency_key",
      "Idempotency-Key must be 1 to 255 visible ASCII characters",
    );
  return { keyHash: sha256(header), requestHash };
}

/** The same JSON however its keys are ordered. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part) =>
    part !== null && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** The number that stands for the key in PostgreSQL's advisory locks: 64 bits of (customer, key). */
export const lockNumber = (customerId: string, keyHash: Buffer): bigint =>
  sha256(Buffer.concat([Buffer.from(customerId), keyHash])).readBigInt64BE();
