import type { FastifyBaseLogger } from "fastify";
import { Redis } from "ioredis";

// Whatever asks Redis goes on without it, so a Redis that is gone or hangs must be given up quickly.
const commandTimeoutMs = 500;
const reconnectMs = 1_000;

/** A connection that is made in the background, and again when it is lost; without it every command fails at once. */
export function openRedis(url: string, log: FastifyBaseLogger): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: commandTimeoutMs,
    connectTimeout: 5_000,
    retryStrategy: () => reconnectMs,
  });
  let away = false;
  redis.on("error", (error) => {
    if (!away) log.warn({ err: error }, "Redis is away");
    away = true;
  });
  redis.on("ready", () => {
    away = false;
  });
  return redis;
}
