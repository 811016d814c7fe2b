// A real Redis of a test's own.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { afterAll, beforeAll, onTestFinished } from "vitest";

/** Where there is none a test is skipped loudly, and fails where nothing may be skipped. */
export const hasRedis = (() => {
  try {
    execFileSync("redis-server", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    if (process.env.REQUIRE_ALL === "1") throw new Error("redis-server is not installed");
    console.warn("SKIPPED: redis-server is not installed, so nothing is tested with a real Redis");
    return false;
  }
})();

export interface RedisServer {
  url: string;
  stop: () => Promise<void>;
  process: ChildProcess;
}

/** Starts one, on a port of its own unless one is given; it ends with the test. */
export async function startRedis(port?: number): Promise<RedisServer> {
  const server = await launch(port);
  onTestFinished(server.stop);
  return server;
}

/** One for a whole test file. It can be stopped, and started again on the same port. */
export function testRedis() {
  let server: RedisServer | undefined;
  const redis = {
    url: "",
    start: async () => {
      server = await launch(redis.url ? Number(new URL(redis.url).port) : undefined);
      redis.url = server.url;
    },
    stop: async () => server?.stop(),
    pause: (paused: boolean) => void server?.process.kill(paused ? "SIGSTOP" : "SIGCONT"),
  };
  beforeAll(async () => {
    if (hasRedis) await redis.start();
  });
  afterAll(redis.stop);
  return redis;
}

async function launch(port?: number): Promise<RedisServer> {
  const at = port ?? (await freePort());
  const child = spawn("redis-server", ["--port", `${at}`, "--bind", "127.0.0.1", "--save", ""], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on("data", (chunk) => String(chunk).includes("Ready to accept connections") && resolve());
    child.once("exit", (code) => reject(new Error(`redis-server ended with ${code}`)));
  });
  return { url: `redis://127.0.0.1:${at}`, stop, process: child };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
