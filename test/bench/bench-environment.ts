// What a case runs against: PostgreSQL with its durability as it comes, the payment provider in a process of its own, and
// the service as production runs it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { migrate, seed } from "../../src/db/migrate.ts";
import { openPool, type Pool } from "../../src/db/pool.ts";
import { startPostgres } from "../../src/dev/postgres.ts";
import { freePort } from "../free-port.ts";
import { signTestToken } from "../tokens.ts";

const secret = "a secret of the benchmark that is long enough for HS256";

/** The ids of seeds/catalog.sql: a product with its variation, 350 cents. */
export const espresso = "01920000-0000-7000-8000-000000000201";
export const doubleShot = "01920000-0000-7000-8000-000000000304";

export interface Rig {
  port: number;
  databaseUrl: string;
  sql: Pool;
  service: ChildProcess;
  /** An access token of the seed user of this role. */
  token: (role: "customer" | "barista" | "manager") => string;
  /** The ids of `count` customers, and a token for each. */
  customers: (count: number) => Promise<{ id: string; token: string }[]>;
  close: () => Promise<void>;
}

/** Starts PostgreSQL alone, with the schema and the seeds. */
export async function startDatabase() {
  const folder = await mkdtemp(join(tmpdir(), "ristretto-bench-"));
  const postgres = await startPostgres(folder, { max_connections: "200" });
  // A case that fails leaves nobody running.
  const postmaster = Number(
    (await readFile(join(folder, "postgres/data/postmaster.pid"), "utf8")).split("\n")[0],
  );
  const abandon = () => process.kill(postmaster, "SIGINT");
  process.once("exit", abandon);
  await migrate(postgres.url);
  const sql = openPool(postgres.url, { name: "bench", max: 4 });
  await seed(sql);
  return {
    url: postgres.url,
    sql,
    close: async () => {
      await sql.end();
      process.off("exit", abandon);
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Starts a script of this folder as a process; gives it and the port that it prints. */
export async function startScript(
  file: string,
  ...args: string[]
): Promise<{ port: number; process: ChildProcess }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, file), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.once("exit", () => child.kill());
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  return { port: Number(line), process: child };
}

/** Starts one of the service's programs with the settings of production. */
function startProgram(file: string, databaseUrl: string, providerPort: number, env: NodeJS.ProcessEnv) {
  const program = spawn(process.execPath, [file], {
    env: {
      PATH: process.env.PATH,
      NODE_ENV: "production",
      HOST: "127.0.0.1",
      JWT_SECRET_KEY: secret,
      DATABASE_URL: databaseUrl,
      PAYMENT_SERVICE_URL: `http://127.0.0.1:${providerPort}/payments`,
      NOTIFICATION_SERVICE_URL: `http://127.0.0.1:${providerPort}/notifications`,
      RATE_LIMIT_MAX: "0",
      NODE_OPTIONS: process.env.BENCH_NODE_OPTIONS ?? "",
      NODE_COMPILE_CACHE: "node_modules/.cache/node",
      ...env,
    },
    // The log is written, and read by nobody.
    stdio: ["ignore", "ignore", "inherit"],
  });
  process.once("exit", () => program.kill());
  return program;
}

/** Starts an instance on a database and waits until it is ready; gives its port too, and how long it took. */
export async function startService(databaseUrl: string, providerPort: number, env: NodeJS.ProcessEnv = {}) {
  const port = await freePort();
  const started = performance.now();
  const service = startProgram("src/main.ts", databaseUrl, providerPort, { PORT: `${port}`, ...env });
  let ended = false;
  service.once("exit", () => {
    ended = true;
  });
  const ready = () =>
    fetch(`http://127.0.0.1:${port}/api/v1/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await ready())) {
    if (ended) throw new Error("the service ended before it was ready");
    await sleep(5);
  }
  return { port, process: service, startedIn: performance.now() - started };
}

/** An instance and a worker, each a process, as compose.yaml has them; only the instance if `env` says what WORKER is. */
export async function startRig(env: NodeJS.ProcessEnv = {}, provider: string[] = []): Promise<Rig> {
  const database = await startDatabase();
  const payments = await startScript("provider.ts", ...provider);
  const worker = env.WORKER ? undefined : startProgram("src/worker.ts", database.url, payments.port, env);
  const service = await startService(database.url, payments.port, { WORKER: "off", ...env });
  const sign = (sub: string, role: string) => signTestToken({ sub, role, jti: "bench" }, secret);
  const staff = await database.sql<{ id: string; role: string }[]>`select id, role from users`;
  return {
    port: service.port,
    databaseUrl: database.url,
    sql: database.sql,
    service: service.process,
    token: (role) => sign(staff.find((user) => user.role === role)!.id, role),
    customers: async (count) => {
      const ids = Array.from({ length: count }, () => crypto.randomUUID());
      await database.sql`
        insert into users (id, email, role, verified_at)
        select id, id || '@example.com', 'customer', now() from unnest(${ids}::uuid[]) as id`;
      return ids.map((id) => ({ id, token: sign(id, "customer") }));
    },
    close: async () => {
      for (const program of [service.process, worker]) {
        if (!program) continue;
        program.kill();
        await once(program, "exit");
      }
      payments.process.kill();
      await database.close();
    },
  };
}
