import type { FastifyBaseLogger } from "fastify";
import { Redis } from "ioredis";

// Whatever asks Redis goes on without it: one that is slower than this is as good as gone, and no request waits longer.
const patienceMs = 200;
const reconnectMs = 1_000;

/** A connection that is made in the background, and again when it is lost; without it every command fails at once. */
export function openRedis(url: string, log: FastifyBaseLogger): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: patienceMs,
    // One that is silent for so long is left, until it answers again.
    socketTimeout: 2 * patienceMs,
    connectTimeout: 5_000,
    retryStrategy: () => reconnectMs,
  });
  let away = false;
  redis.on("error", (error) => {
    if (!away) log.warn({ err: error }, "Redis is away; each process goes on by itself");
    away = true;
  });
  redis.on("ready", () => {
    away = false;
    log.info("Redis is there");
  });
  return redis;
}
