// An instance of the service as production runs it: a process of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface Instance {
  url: string;
  process: ChildProcess;
  /** All that it has printed. */
  output: () => string;
  /** Sends the signal and waits for the end; gives the exit code, or the signal that ended it. */
  end: (signal: NodeJS.Signals) => Promise<number | NodeJS.Signals>;
}

export const productionSecret = "a secret of the tests that is long enough for HS256";

/** Starts one on a migrated database and waits until it listens. */
export async function startInstance(env: Record<string, string>): Promise<Instance> {
  const child = spawn(process.execPath, ["src/main.ts"], {
    env: {
      PATH: process.env.PATH,
      NODE_V8_COVERAGE: process.env.NODE_V8_COVERAGE,
      NODE_ENV: "production",
      HOST: "127.0.0.1",
      PORT: "0",
      JWT_SECRET_KEY: productionSecret,
      RATE_LIMIT_MAX: "0",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  const exited = once(child, "exit");
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      printed += chunk;
      const address = /Server listening at (http:\/\/[\d.:]+)/.exec(printed)?.[1];
      if (address) resolve(address);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    exited.then(() => reject(new Error(`the instance ended before it listened:\n${printed}`)));
  });
  return {
    url,
    process: child,
    output: () => printed,
    end: async (signal) => {
      child.kill(signal);
      const [code, endedBy] = await exited;
      return code ?? endedBy;
    },
  };
}
