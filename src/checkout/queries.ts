import type { Db } from "../db/pool.ts";

/** Takes an advisory lock until the transaction ends. Returns false at once if another transaction has it. */
export async function tryAdvisoryLock(tx: Db, key: bigint): Promise<boolean> {
  const [row] = await tx<[{ locked: boolean }]>`
    select pg_try_advisory_xact_lock(${key.toString()}::bigint) as locked`;
  return row.locked;
}
