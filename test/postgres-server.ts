// The PostgreSQL of the machine's own packages, beside the embedded one that all other tests run on: an older version,
// built by others, with durability as it comes.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPool } from "../src/db/pool.ts";
import { freePort } from "./free-port.ts";
import { eventually } from "./harness.ts";
import { missing } from "./skip-if-unavailable.ts";

const packages = "/usr/lib/postgresql";
/** Where the newest one's programs are. */
const programs = () => {
  const versions = readdirSync(packages).map(Number);
  return join(packages, `${Math.max(...versions)}`, "bin");
};

export const noPostgres = missing("Debian's PostgreSQL", () =>
  execFileSync(join(programs(), "postgres"), ["--version"]),
);

export interface PostgresServer {
  /** Of an empty database. */
  url: string;
  stop: () => Promise<void>;
}

/** Starts one with a cluster of its own. It refuses to run as root: then it runs as its package's user. */
export async function launchPostgres(): Promise<PostgresServer> {
  const folder = await mkdtemp(join(tmpdir(), "ristretto-postgres-"));
  const owner: { uid?: number; gid?: number } = {};
  if (process.getuid?.() === 0) {
    const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
    Object.assign(owner, { uid: id("-u"), gid: id("-g") });
    chownSync(folder, owner.uid!, owner.gid!);
  }
  const cluster = join(folder, "cluster");
  execFileSync(join(programs(), "initdb"), ["-D", cluster, "-U", "shop", "--auth=trust", "-E", "UTF8"], {
    stdio: "ignore",
    cwd: folder,
    ...owner,
  });
  const port = await freePort();
  const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: folder, max_connections: 200 };
  const server: ChildProcess = spawn(
    join(programs(), "postgres"),
    [
      "-D",
      cluster,
      "-p",
      `${port}`,
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ],
    { stdio: "ignore", cwd: folder, ...owner },
  );
  const url = `postgres://shop@127.0.0.1:${port}/postgres`;
  await eventually(async () => {
    if (server.exitCode !== null) throw new Error(`postgres ended with ${server.exitCode}`);
    const sql = openPool(url, { name: "test setup", max: 1 });
    const answered = await sql`select`.then(
      () => true,
      () => false,
    );
    await sql.end();
    return answered;
  });
  return {
    url,
    stop: async () => {
      server.kill("SIGINT");
      await once(server, "exit");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
