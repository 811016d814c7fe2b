// A real Redis of a test's own.
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { launchRedis, noRedis, type RedisServer } from "./redis-server.ts";

/** Starts one, on a port of its own unless one is given; it ends with the test. */
export async function startRedis(port?: number): Promise<RedisServer> {
  const server = await launchRedis(port);
  onTestFinished(server.stop);
  return server;
}

/** One for a whole test file. It can be stopped, and started again on the same port. */
export function testRedis() {
  let server: RedisServer | undefined;
  const redis = {
    url: "",
    start: async () => {
      server = await launchRedis(redis.url ? Number(new URL(redis.url).port) : undefined);
      redis.url = server.url;
    },
    stop: async () => server?.stop(),
    pause: (paused: boolean) => void server?.process.kill(paused ? "SIGSTOP" : "SIGCONT"),
  };
  beforeAll(async () => {
    if (!noRedis) await redis.start();
  });
  afterAll(redis.stop);
  return redis;
}
