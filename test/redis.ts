// A real Redis of a test's own, which it may stop and start.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { missing } from "./missing.ts";

export const noRedis = missing("redis-server", () => execFileSync("redis-server", ["--version"]));

export interface RedisServer {
  url: string;
  client: Redis;
  start: () => Promise<void>;
  kill: () => Promise<void>;
  close: () => Promise<void>;
}

/** Keeps nothing on disk: killed and started again it is empty. */
export async function startRedis(): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), "ristretto-redis-"));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => 50 });
  client.on("error", () => {});
  let child: ChildProcess;
  const server: RedisServer = {
    url,
    client,
    async start() {
      const args = [
        "--port",
        String(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        folder,
      ];
      child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
      for await (const chunk of child.stdout!) if (/Ready to accept/.test(String(chunk))) break;
      child.stdout!.destroy();
      if (client.status === "wait") await client.connect();
    },
    async kill() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
    async close() {
      client.disconnect();
      await server.kill();
      await rm(folder, { recursive: true });
    },
  };
  await server.start();
  return server;
}

export async function freePort(): Promise<number> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, "close");
  return port;
}
