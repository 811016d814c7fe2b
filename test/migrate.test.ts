import { runner } from "node-pg-migrate";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { OperatorError } from "../src/config.ts";
import { migrate, pendingMigrations } from "../src/db/migrate.ts";
import { openPool, type Pool } from "../src/db/pool.ts";
import { makeUser } from "./factories.ts";
import { cloneDatabase, eventually } from "./harness.ts";

const opened: { end: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const connection of opened.splice(0)) await connection.end();
});

async function openDatabase() {
  const url = await cloneDatabase();
  const sql = openPool(url, { name: "test", max: 3 });
  opened.push(sql);
  return { url, sql };
}

/** Runs this many migrations, the newest back or the next ones on. */
async function step(url: string, direction: "up" | "down", count: number) {
  const dbClient = new pg.Client({ connectionString: url });
  opened.push(dbClient);
  await dbClient.connect();
  const dir = "migrations";
  await runner({
    dbClient,
    dir,
    direction,
    count,
    migrationsTable: "pgmigrations",
    noLock: true,
    log: () => {},
  });
}

/** Back to before 0014, which takes the table of orders, then that of payments. */
async function takeBackChecks(url: string, sql: Pool) {
  const since = await sql`select from pgmigrations where name >= '0014'`;
  await step(url, "down", since.length);
}

/** All that the migrations make, as text. */
const schema = async (sql: Pool) => ({
  columns: await sql`
    select table_name, column_name, data_type, is_nullable, column_default
    from information_schema.columns where table_schema = 'public' order by 1, 2`,
  indexes: await sql`select indexdef from pg_indexes where schemaname = 'public' order by 1`,
  constraints: await sql`
    select conrelid::regclass::text as of, conname, pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace order by 1, 2`,
  functions:
    await sql`select proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace order by 1, 2`,
  triggers: await sql`select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal order by 1`,
  views: await sql`select viewname, definition from pg_views where schemaname = 'public' order by 1`,
  options: await sql`
    select relname, reloptions from pg_class where relnamespace = 'public'::regnamespace order by 1`,
});

test("each migration leads back to the schema before it, and on again", async () => {
  const { url, sql } = await openDatabase();
  const count = (await sql`select from pgmigrations`).length;
  const before = [await schema(sql)];
  for (let left = count; left > 0; left--) {
    await step(url, "down", 1);
    before.unshift(await schema(sql));
  }
  expect(before[0]!.columns.filter(({ table_name }) => table_name !== "pgmigrations")).toEqual([]);
  for (const expected of before.slice(1)) {
    await step(url, "up", 1);
    expect(await schema(sql)).toEqual(expected);
  }
});

test("a migration gives way to an order that waits for it while it waits for the order", async () => {
  const { url, sql } = await openDatabase();
  const customer = await makeUser(sql);
  await takeBackChecks(url, sql);
  await sql.begin(async (tx) => {
    // What an order has read while its payment provider is asked.
    await tx`select from payments`;
    const migrated = migrate(url);
    opened.push({ end: () => migrated });
    await eventually(async () => {
      const waiting = await sql`
        select from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())`;
      return waiting.length > 0;
    });
    await tx`
      insert into orders (id, customer_id, total_cents, fulfillment)
      values (gen_random_uuid(), ${customer.id}, 100, '{"type": "pickup"}')`;
  });
  await opened.pop()!.end();
  expect(await sql`select total_cents from orders`).toEqual([{ total_cents: 100 }]);
  expect(await pendingMigrations(sql)).toEqual([]);
});

test("a migration whose table is never free says so, and leaves the schema as it was", async () => {
  const { url, sql } = await openDatabase();
  await takeBackChecks(url, sql);
  const before = await schema(sql);
  const pending = await pendingMigrations(sql);
  expect(pending[0]).toBe("0014_checks_by_name");
  await sql.begin(async (tx) => {
    await tx`select from payments`;
    await expect(migrate(url, 2)).rejects.toThrow(OperatorError);
  });
  expect(await schema(sql)).toEqual(before);
  expect(await pendingMigrations(sql)).toEqual(pending);
  await migrate(url);
  expect(await pendingMigrations(sql)).toEqual([]);
});
