import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { runner } from "node-pg-migrate";
import pg from "pg";
import { afterEach, describe, expect, inject, onTestFinished, test } from "vitest";
import { OperatorError } from "../src/config.ts";
import { migrate, pendingMigrations } from "../src/db/migrate.ts";
import { openPool, type Pool } from "../src/db/pool.ts";
import { startPostgres } from "../src/dev/postgres.ts";
import { makeUser } from "./factories.ts";
import { cloneDatabase, eventually } from "./harness.ts";
import { killStarted, makeFolder, npm, removeFolder } from "./npm.ts";

const migrations = "migrations";

const opened: { end: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const connection of opened.splice(0)) await connection.end();
});

function connect(url: string): Pool {
  const sql = openPool(url, { name: "test", max: 3 });
  opened.push(sql);
  return sql;
}

async function openDatabase() {
  const url = await cloneDatabase();
  return { url, sql: connect(url) };
}

/** Runs one migration up, or the newest one down. */
async function step(url: string, direction: "up" | "down") {
  const dbClient = new pg.Client({ connectionString: url });
  opened.push(dbClient);
  await dbClient.connect();
  await runner({
    dbClient,
    dir: migrations,
    direction,
    count: 1,
    migrationsTable: "pgmigrations",
    noLock: true,
    log: () => {},
  });
}

/** Returns a copy of the migrations with one more, which locks orders and then payments. */
async function withLockingMigration(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ristretto-migrations-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(migrations, folder, { recursive: true });
  await writeFile(
    join(folder, "9999_lock_orders_and_payments.sql"),
    `-- Up Migration
     alter table orders add column test_note text;
     alter table payments add column test_note text;`,
  );
  return folder;
}

const appliedMigrations = async (sql: Pool) =>
  (await sql<{ name: string }[]>`select name from pgmigrations order by id`).map(({ name }) => name);

/** Returns everything that migrations create, as text. */
const schema = async (sql: Pool) => ({
  schemas: await sql`select nspname from pg_namespace where nspname !~ '^pg_' order by 1`,
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

test("each migration goes down to the schema before it, and up again", async () => {
  const { url, sql } = await openDatabase();
  const count = (await appliedMigrations(sql)).length;
  const before = [await schema(sql)];
  for (let left = count; left > 0; left--) {
    await step(url, "down");
    before.unshift(await schema(sql));
  }
  expect(before[0]!.columns.filter(({ table_name }) => table_name !== "pgmigrations")).toEqual([]);
  expect(before[0]!.functions).toEqual([]);
  for (const expected of before.slice(1)) {
    await step(url, "up");
    expect(await schema(sql)).toEqual(expected);
  }
});

test("each foreign key has an index that begins with its column, and a stated action on delete", async () => {
  const { sql } = await openDatabase();
  const keys = await sql<{ conname: string; indexed: boolean; action: string }[]>`
    select conname, confdeltype as action, exists (
      select from pg_index i
      where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1]
        and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) ~ 'IS NOT NULL')
    ) as indexed
    from pg_constraint c
    where contype = 'f' and connamespace = 'public'::regnamespace`;
  expect(keys.length).toBeGreaterThan(15);
  expect(keys.filter(({ indexed, action }) => !indexed || action === "a")).toEqual([]);
});

test("no constraint and no index has a name that PostgreSQL made up", async () => {
  const { sql } = await openDatabase();
  const names = await sql<{ name: string }[]>`
    select conname as name from pg_constraint
    where connamespace = 'public'::regnamespace and contype <> 'n' and conrelid <> 'pgmigrations'::regclass
    union
    select indexname from pg_indexes where schemaname = 'public' and tablename <> 'pgmigrations'`;
  expect(names.length).toBeGreaterThan(100);
  expect(names.filter(({ name }) => /_(pkey|key|fkey|check|excl|idx)\d*$/.test(name))).toEqual([]);
});

test("a migration gives way to an order when the two wait for each other", async () => {
  const { url, sql } = await openDatabase();
  const customer = await makeUser(sql);
  const folder = await withLockingMigration();
  await sql.begin(async (tx) => {
    // An order reads payments before it charges.
    await tx`select from payments`;
    const migrated = migrate(url, { folder });
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
  expect(await sql`select total_cents, test_note from orders`).toEqual([
    { total_cents: 100, test_note: null },
  ]);
  expect((await appliedMigrations(sql)).at(-1)).toBe("9999_lock_orders_and_payments");
});

test("a migration whose table is always in use fails and leaves the schema unchanged", async () => {
  const { url, sql } = await openDatabase();
  const folder = await withLockingMigration();
  const before = await schema(sql);
  const applied = await appliedMigrations(sql);
  await sql.begin(async (tx) => {
    await tx`select from payments`;
    await expect(migrate(url, { folder, attempts: 2 })).rejects.toThrow(OperatorError);
  });
  expect(await schema(sql)).toEqual(before);
  expect(await appliedMigrations(sql)).toEqual(applied);
  await migrate(url, { folder });
  expect(await appliedMigrations(sql)).toEqual([...applied, "9999_lock_orders_and_payments"]);
});

test("migrating twice changes nothing", async () => {
  const { url, sql } = await openDatabase();
  const before = [await schema(sql), await sql`select * from pgmigrations order by id`];
  await migrate(url);
  expect([await schema(sql), await sql`select * from pgmigrations order by id`]).toEqual(before);
  expect(await pendingMigrations(sql)).toEqual([]);
});

describe("a database of version 0.2 is rejected in one sentence and stays unchanged", () => {
  const sentence =
    /^\s*This database belongs to version 0\.2 or older[^.]+: create a new database, [^\n]*\.\s*$/;

  /** Creates the rows of version 0.2's migrations, and a table with an order. */
  async function fillOldDatabase(sql: Pool) {
    await sql`create table pgmigrations (id serial primary key, name varchar(255) not null, run_on timestamp not null)`;
    await sql`
      insert into pgmigrations (name, run_on)
      select name, now() from unnest(array['0001_accounts', '0002_catalog', '0003_orders']) as name`;
    await sql`create table orders (id integer)`;
    await sql`insert into orders values (1)`;
  }

  const contents = async (sql: Pool) => [
    await schema(sql),
    await sql`select * from pgmigrations order by id`,
    await sql`select * from orders`,
  ];

  test("by npm run migrate", async () => {
    const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
    await connect(inject("postgresUrl")).unsafe(`create database ${name}`);
    const url = inject("postgresUrl").replace(/\/postgres$/, `/${name}`);
    const sql = connect(url);
    await fillOldDatabase(sql);
    const before = await contents(sql);

    const env = { PATH: process.env.PATH, NODE_ENV: "production", DATABASE_URL: url };
    const run = promisify(execFile)(process.execPath, ["src/cli.ts", "migrate"], { env });
    const { code, stdout, stderr } = await run.then(
      () => expect.unreachable(),
      (error) => error,
    );
    expect(code).toBe(1);
    expect(stdout + stderr).toMatch(sentence);
    expect(await contents(sql)).toEqual(before);
  });

  test.skipIf(!existsSync("/proc"))("by npm start, on the embedded PostgreSQL", async () => {
    const folder = await makeFolder();
    onTestFinished(() => removeFolder(folder));
    onTestFinished(killStarted);
    const onDatabase = async <T>(use: (sql: Pool) => Promise<T>): Promise<T> => {
      const postgres = await startPostgres(join(folder, ".data"));
      const sql = openPool(postgres.url, { name: "test", max: 1 });
      try {
        return await use(sql);
      } finally {
        await sql.end();
        await postgres.stop();
      }
    };
    const before = await onDatabase(async (sql) => {
      await fillOldDatabase(sql);
      return contents(sql);
    });

    const shop = npm(folder, "start");
    expect(await shop.code).toBe(1);
    expect(shop.said()).toMatch(sentence);
    expect(shop.said()).toContain(".data/");
    expect(await onDatabase(contents)).toEqual(before);
  });
});
