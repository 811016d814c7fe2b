import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { OperatorError } from "../config.ts";
import type { Db } from "./pool.ts";

const migrations = fileURLToPath(new URL("../../migrations/", import.meta.url));
const seeds = fileURLToPath(new URL("../../seeds/", import.meta.url));

// Held while the schema is brought up to date, so that instances that start together take turns.
const migrationLock = 71_034_552;

/**
 * Who comes to a table that a migration waits for waits behind it. So it does not wait for long, and tries again. Less
 * than PostgreSQL's deadlock_timeout (1 s): of a migration and an order that wait for one another, the order goes on.
 */
const lockTimeoutMs = 500;
const pauseMs = 1_000;
const lockNotAvailable = "55P03";

/**
 * Brings the schema, the job queue's included, up to date. Safe to run twice and at once, and beside the version before.
 * Throws a OperatorError if there is no connection, or if a table was in use at each of the attempts: four minutes and a
 * half of them.
 */
export async function migrate(databaseUrl: string, attempts = 180) {
  // Loaded only here: an instance in production looks whether the schema fits, and never migrates.
  const [{ Logger, runMigrations }, { runner }, { default: pg }] = await Promise.all([
    import("graphile-worker"),
    import("node-pg-migrate"),
    import("pg"),
  ]);
  const dbClient = new pg.Client({ connectionString: databaseUrl, application_name: "ristretto migrate" });
  await dbClient.connect().catch(({ message, code }) => {
    throw new OperatorError(`No connection to the database: ${message || code}`);
  });
  try {
    await dbClient.query("select pg_advisory_lock($1)", [migrationLock]);
    await dbClient.query(`set lock_timeout = ${lockTimeoutMs}`);
    for (let attempt = 1; ; attempt++) {
      try {
        await runner({
          dbClient,
          dir: migrations,
          direction: "up",
          migrationsTable: "pgmigrations",
          noLock: true,
          log: () => {},
        });
        break;
      } catch (error) {
        if ((error as { code?: string }).code !== lockNotAvailable) throw error;
        if (attempt === attempts)
          throw new OperatorError("A migration's table is in use all the time: try again later");
        await dbClient.query("rollback");
        await sleep(pauseMs);
      }
    }
    await runMigrations({ connectionString: databaseUrl, logger: new Logger(() => () => {}) });
  } finally {
    await dbClient.end();
  }
}

/** Writes the seed users and the seed catalog, both as upserts. For development only. */
export async function seed(sql: Db) {
  for (const file of ["staff.sql", "catalog.sql"]) await sql.unsafe(await readFile(seeds + file, "utf8"));
}

/** Whether nobody has an account yet: the shop is new. */
export async function isEmpty(sql: Db): Promise<boolean> {
  const [row] = await sql<{ empty: boolean }[]>`select not exists (select from users) as empty`;
  return row!.empty;
}

/** The migrations that the code has and the database lacks. */
export async function pendingMigrations(sql: Db): Promise<string[]> {
  const files = (await readdir(migrations)).filter((file) => file.endsWith(".sql"));
  const known = files.map((file) => file.replace(/\.sql$/, ""));
  const applied = await sql<{ name: string }[]>`select name from pgmigrations`;
  return known.filter((name) => !applied.some((row) => row.name === name));
}
