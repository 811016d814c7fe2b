// A copy of each version of the menu in Redis: one instance reads PostgreSQL, the others read the copy.
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Pool } from "../db/pool.ts";
import { findMenuVersion } from "./queries.ts";

export interface MenuSnapshot {
  text: string;
  /** By performance.now(): when the next sold-out item becomes available. */
  expiresAt: number;
}

/** The longest wait for the instance that reads. */
const readerLeaseMs = 1_000;
const pollMs = 20;
const maxLifetimeMs = 3_600_000;

/** Returns the current menu from Redis. Reads it and writes the copy if there is none. Returns undefined if Redis fails. */
export async function readThroughRedis(
  redis: Redis,
  sql: Pool,
  currency: string,
  readDatabase: () => Promise<MenuSnapshot & { version: string }>,
): Promise<MenuSnapshot | undefined> {
  const keyOf = (version: string) => `ristretto:menu:${currency}:${version}`;
  const key = keyOf(await findMenuVersion(sql));
  const lease = `${key}:reader`;
  let isReader = false;
  try {
    const deadline = performance.now() + readerLeaseMs;
    for (;;) {
      const startedAt = performance.now();
      const [text, lifetimeMs] = await Promise.all([redis.get(key), redis.pttl(key)]);
      if (text !== null && lifetimeMs > 0) {
        if (isReader) await redis.del(lease);
        return { text, expiresAt: startedAt + lifetimeMs };
      }
      // The reader may have died: after the deadline each instance reads.
      if (isReader || startedAt > deadline) break;
      // A new reader looks once more, because the copy may have been written before it got the lease.
      isReader = (await redis.set(lease, 1, "PX", readerLeaseMs, "NX")) === "OK";
      if (!isReader) await sleep(pollMs);
    }
  } catch {
    return undefined;
  }
  const menu = await readDatabase();
  const lifetimeMs = Math.floor(Math.min(maxLifetimeMs, menu.expiresAt - performance.now()));
  // The menu that was read may be newer than the version above.
  if (lifetimeMs > 0) await redis.set(keyOf(menu.version), menu.text, "PX", lifetimeMs).catch(() => {});
  if (isReader) await redis.del(lease).catch(() => {});
  return menu;
}
