import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Client } from "pg";
import { OperatorError } from "../config.ts";
import type { Db } from "./pool.ts";

const migrationsFolder = fileURLToPath(new URL("../../migrations/", import.meta.url));
const seedsFolder = fileURLToPath(new URL("../../seeds/", import.meta.url));

/** Serializes instances that migrate at the same time. */
const advisoryLockKey = 71_034_552;

// Queries queue behind a waiting migration. Below deadlock_timeout (1 s): in a deadlock the migration gives way.
const lockTimeoutMs = 500;
const retryDelayMs = 1_000;
const lockNotAvailable = "55P03";

/** The first migration up to version 0.2. The baseline of 0.3 replaced those migrations. */
const firstMigrationBefore03 = "0001_accounts";

interface MigrateOptions {
  /** Attempts to lock the tables; the default ones take at least three minutes. */
  attempts?: number;
  folder?: string;
}

/** Several processes may run it at once. Throws OperatorError: no access, a 0.2 database, or a table in use. */
export async function migrate(
  databaseUrl: string,
  { attempts = 180, folder = migrationsFolder }: MigrateOptions = {},
) {
  // Imported here, because an instance in production does not migrate.
  const [{ Logger, runMigrations }, { default: pg }] = await Promise.all([
    import("graphile-worker"),
    import("pg"),
  ]);
  const client = new pg.Client({ connectionString: databaseUrl, application_name: "ristretto migrate" });
  await client.connect().catch(({ message, code }) => {
    throw new OperatorError(`No connection to the database: ${message || code}`);
  });
  try {
    await client.query("select pg_advisory_lock($1)", [advisoryLockKey]);
    await rejectOldDatabase(client);
    await client.query(`set lock_timeout = ${lockTimeoutMs}`);
    await runPendingMigrations(client, folder, attempts);
    await runMigrations({ connectionString: databaseUrl, logger: new Logger(() => () => {}) });
  } finally {
    await client.end();
  }
}

async function rejectOldDatabase(client: Client) {
  const { rows: tables } = await client.query("select where to_regclass('public.pgmigrations') is not null");
  if (tables.length === 0) return;
  const { rows: old } = await client.query("select from public.pgmigrations where name = $1", [
    firstMigrationBefore03,
  ]);
  if (old.length > 0)
    throw new OperatorError(
      "This database belongs to version 0.2 or older and can't be upgraded: " +
        "create a new database, or delete .data/ if DATABASE_URL is not set.",
    );
}

async function runPendingMigrations(client: Client, dir: string, attempts: number) {
  const { runner } = await import("node-pg-migrate");
  for (let attempt = 1; ; attempt++) {
    try {
      await runner({
        dbClient: client,
        dir,
        direction: "up",
        migrationsTable: "pgmigrations",
        noLock: true,
        log: () => {},
      });
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== lockNotAvailable) throw error;
      if (attempt === attempts)
        throw new OperatorError("A table that a migration changes is always in use: try again later");
      await client.query("rollback");
      await sleep(retryDelayMs);
    }
  }
}

/** Upserts, for development only. */
export async function seed(sql: Db) {
  for (const file of ["staff.sql", "catalog.sql"])
    await sql.unsafe(await readFile(seedsFolder + file, "utf8"));
}

export async function isEmpty(sql: Db): Promise<boolean> {
  const [row] = await sql<{ empty: boolean }[]>`select not exists (select from users) as empty`;
  return row!.empty;
}

/** Throws if the database was never migrated. */
export async function pendingMigrations(sql: Db): Promise<string[]> {
  const files = (await readdir(migrationsFolder)).filter((file) => file.endsWith(".sql"));
  const names = files.map((file) => file.replace(/\.sql$/, ""));
  const applied = await sql<{ name: string }[]>`select name from pgmigrations`;
  return names.filter((name) => !applied.some((row) => row.name === name));
}
