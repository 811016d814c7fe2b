import type { FastifyBaseLogger } from "fastify";
import { Redis } from "ioredis";

// Every caller goes on without Redis: no request waits for it longer than this.
const timeoutMs = 200;
const reconnectMs = 1_000;

/** Returns a client that connects in the background and reconnects. While disconnected, every command fails at once. */
export function openRedis(url: string, log: FastifyBaseLogger): Redis {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: timeoutMs,
    // Reconnects when Redis is silent.
    socketTimeout: 2 * timeoutMs,
    connectTimeout: 5_000,
    retryStrategy: () => reconnectMs,
  });
  let isDown = false;
  redis.on("error", (error) => {
    if (!isDown) log.warn({ err: error }, "Redis disconnected; this process goes on without it");
    isDown = true;
  });
  redis.on("ready", () => {
    isDown = false;
    log.info("Redis connected");
  });
  return redis;
}
