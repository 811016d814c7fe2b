// A real Redis, if the machine has one.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { afterAll, beforeAll } from "vitest";

function isInstalled() {
  try {
    execFileSync("redis-server", ["--version"]);
    return true;
  } catch {
    return false;
  }
}

/** Whether tests that need Redis are left out: never where nothing may be. */
export const withoutRedis = !isInstalled() && !process.env.REQUIRE_ALL;
if (withoutRedis) console.warn("\nSKIPPED: tests with Redis, for redis-server is not on this machine\n");

/** A Redis for a test file. It can be stopped, and started again on the same port. */
export function testRedis() {
  const redis = { url: "", start: async () => {}, stop: async () => {}, pause: (_paused: boolean) => {} };
  let stop = async () => {};
  let port: number;
  redis.start = async () => {
    const child = spawn("redis-server", ["--port", String(port), "--save", "", "--appendonly", "no"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit");
    redis.pause = (paused) => void child.kill(paused ? "SIGSTOP" : "SIGCONT");
    stop = async () => {
      child.kill("SIGKILL");
      await ended;
    };
    await new Promise<void>((resolve) =>
      child.stdout.on("data", (chunk) => String(chunk).includes("Ready to accept connections") && resolve()),
    );
  };
  redis.stop = () => stop();
  beforeAll(async () => {
    if (withoutRedis) return;
    port = await freePort();
    redis.url = `redis://127.0.0.1:${port}`;
    await redis.start();
  });
  afterAll(() => redis.stop());
  return redis;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
