// PostgreSQL's own limit: pgbench of Debian's postgresql package, else the same statements in a loop of the driver.
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { openPool } from "../../src/db/pool.ts";
import type { Load } from "./load.ts";

const run = promisify(execFile);
const packages = "/usr/lib/postgresql";

async function findPgbench(): Promise<string | undefined> {
  const versions = await readdir(packages).catch(() => []);
  const newest = versions.map(Number).sort((a, b) => b - a)[0];
  return newest === undefined ? undefined : join(packages, `${newest}`, "bin", "pgbench");
}

const pgbench = await findPgbench();
/** What the yardstick is called in the output. */
export const yardstick = pgbench ? "pgbench" : "a bare postgres.js loop (no pgbench here)";

export interface Script {
  /**
   * SQL statements, each a round trip, in pgbench's way: `\\set name random(1, 9)` before them, `\\gset` after one to keep
   * its columns, `:name` in the next ones.
   */
  statements: string[];
  clients: number;
  ms: number;
  /** Transactions a second; undefined: as fast as it goes. */
  perSecond?: number;
}

/** Runs the statements as one script over and over. */
export async function runStatements(databaseUrl: string, script: Script): Promise<Load> {
  return pgbench ? runPgbench(pgbench, databaseUrl, script) : runLoop(databaseUrl, script);
}

async function runPgbench(
  program: string,
  databaseUrl: string,
  { statements, clients, ms, perSecond }: Script,
): Promise<Load> {
  const folder = await mkdtemp(join(tmpdir(), "ristretto-pgbench-"));
  await writeFile(join(folder, "script.sql"), `${statements.join("\n")}\n`);
  const rate = perSecond ? ["-R", `${perSecond}`] : [];
  const time = ["-T", `${Math.round(ms / 1_000)}`];
  const url = new URL(databaseUrl);
  const { stderr } = await run(
    program,
    ["-n", "-M", "prepared", "-f", "script.sql", "-c", `${clients}`, "-j", "1", "-l", ...rate, ...time],
    {
      cwd: folder,
      env: {
        ...process.env,
        PGHOST: url.hostname,
        PGPORT: url.port,
        PGUSER: url.username,
        PGPASSWORD: decodeURIComponent(url.password),
        PGDATABASE: url.pathname.slice(1),
      },
    },
  ).catch((error) => error as { stderr: string });
  if (/ERROR|aborted/.test(stderr)) throw new Error(stderr.slice(0, 500));
  const logs = (await readdir(folder)).filter((file) => file.startsWith("pgbench_log"));
  const lines = (await Promise.all(logs.map((file) => readFile(join(folder, file), "utf8")))).flatMap(
    (text) => text.trim().split("\n"),
  );
  await rm(folder, { recursive: true });
  // Client, transaction, microseconds, script, second, microsecond of it and, with a rate, how late it began.
  const latencies = lines.map((line) => {
    const fields = line.split(" ").map(Number);
    return (fields[2]! - (fields[6] ?? 0)) / 1_000;
  });
  return { perSecond: latencies.length / (ms / 1_000), latencies: latencies.sort((a, b) => a - b) };
}

async function runLoop(databaseUrl: string, { statements, clients, ms, perSecond }: Script): Promise<Load> {
  const sql = openPool(databaseUrl, { name: "bench", max: clients });
  const latencies: number[] = [];
  const began = performance.now();
  let begun = 0;
  const lane = async () => {
    const one = await sql.reserve();
    while (performance.now() - began < ms) {
      const due = perSecond ? began + (begun++ / perSecond) * 1_000 : 0;
      if (due > performance.now()) await sleep(due - performance.now());
      const started = performance.now();
      let known: Record<string, string | number> = {};
      for (const statement of statements) {
        const [, name, from, to] = /^\\set (\w+) random\((\d+), (\d+)\)$/.exec(statement) ?? [];
        if (name) known[name] = Math.floor(Number(from) + Math.random() * Number(to));
        else {
          const filled = statement.replace(/(?<!:):([a-z_]\w*)/g, (_all, name) => `'${known[name]}'`);
          const [row] = await one.unsafe(filled.replace("\\gset", ""));
          if (filled.endsWith("\\gset")) known = { ...known, ...row };
        }
      }
      latencies.push(performance.now() - started);
    }
    one.release();
  };
  await Promise.all(Array.from({ length: clients }, lane));
  const seconds = (performance.now() - began) / 1_000;
  await sql.end();
  return { perSecond: latencies.length / seconds, latencies: latencies.sort((a, b) => a - b) };
}
