// A real Redis in a process of its own, which keeps nothing on disk: killed and started again it is empty.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { freePort } from "./free-port.ts";
import { missing } from "./skip-if-unavailable.ts";

export const noRedis = missing("redis-server", () => execFileSync("redis-server", ["--version"]));

export interface RedisServer {
  url: string;
  stop: () => Promise<void>;
  process: ChildProcess;
}

/** Starts one, on a port of its own unless one is given. */
export async function launchRedis(port?: number): Promise<RedisServer> {
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
