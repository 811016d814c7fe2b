// What the driver must survive: the server cuts connections at any moment, or goes away and comes back.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openPool, type Pool } from "../src/db/pool.ts";
import { type EmbeddedPostgres, startPostgres } from "../src/dev/postgres.ts";
import { cloneDatabase, eventually, expectProblem, openShop } from "./harness.ts";

let url: string;
let killer: Pool;
beforeAll(async () => {
  url = await cloneDatabase();
  killer = openPool(url, { name: "killer", max: 1 });
});
afterAll(() => killer.end());

const cut = (name: string) => killer`
  select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and application_name = ${`ristretto ${name}`} and random() < 0.4`;

test("transactions under load whose backends are cut fail by themselves, and every connection works after it", async () => {
  const sql = openPool(url, { name: "victim", max: 5 });
  const until = Date.now() + 2_000;
  const outcomes = { done: 0, lost: 0 };
  const other: unknown[] = [];
  const client = async (n: number) => {
    while (Date.now() < until) {
      try {
        await sql.begin(async (tx) => {
          const [before] = await tx`select ${n}::int as n`;
          await sleep(Math.random() * 4);
          const [after] = await tx`select ${n}::int as n, pg_sleep(0.001)`;
          // An answer of somebody else's statement would show here.
          if (before!.n !== n || after!.n !== n) other.push({ n, before, after });
        });
        outcomes.done++;
      } catch (error) {
        const { code } = error as { code?: string };
        if (/^(CONNECTION_CLOSED|ECONNRESET|EPIPE|57P01)$/.test(code ?? "")) outcomes.lost++;
        else other.push(error);
      }
    }
  };
  const clients = Array.from({ length: 12 }, (_, n) => client(n));
  while (Date.now() < until) {
    await cut("victim");
    await sleep(80);
  }
  await Promise.all(clients);
  expect(other).toEqual([]);
  expect(outcomes.done).toBeGreaterThan(0);
  expect(outcomes.lost).toBeGreaterThan(0);
  const pids = await Promise.all(
    Array.from({ length: 5 }, () => sql`select pg_backend_pid() as pid, pg_sleep(0.2)`),
  );
  expect(new Set(pids.map(([row]) => row!.pid)).size).toBe(5);
  await sql.end();
});

test("a transaction that lost its connection never runs a statement on the next one", async () => {
  const sql = openPool(url, { name: "lost", max: 1 });
  await killer`create table if not exists lost_statements (by text)`;
  let others: Promise<unknown> = Promise.resolve();
  const late: unknown[] = [];
  const lost = sql.begin(async (tx) => {
    await tx`select 1`;
    await killer`
      select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ristretto lost'`;
    // The one connection is another transaction's by now.
    await eventually(async () => {
      others = sql.begin(async (other) => {
        await other`insert into lost_statements values ('other')`;
        await sleep(200);
      });
      others.catch(() => {});
      await sleep(100);
      const [row] =
        await killer`select state from pg_stat_activity where application_name = 'ristretto lost'`;
      return row?.state === "idle in transaction";
    });
    await tx`insert into lost_statements values ('lost')`.catch((error) => late.push(error.code));
    throw new Error("the caller gives up");
  });
  await expect(lost).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
  await eventually(() => late.length === 1);
  await others;
  expect(late).toEqual(["CONNECTION_CLOSED"]);
  expect(await killer`select distinct by from lost_statements`).toEqual([{ by: "other" }]);
  await sql.end();
});

test("a statement that was cut doesn't hand its error to the next connection", async () => {
  const sql = openPool(url, { name: "cut", max: 1 });
  for (let round = 0; round < 10; round++) {
    const running = sql.begin((tx) => tx`select pg_sleep(5)`);
    const lost = expect(running).rejects.toMatchObject({
      code: expect.stringMatching(/CONNECTION_CLOSED|57P01/),
    });
    await eventually(async () => {
      const cutNow = await killer`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'ristretto cut' and wait_event = 'PgSleep'`;
      return cutNow.length === 1;
    });
    await lost;
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  }
  await sql.end();
});

test("PostgreSQL stopped and started again: 503 unavailable meanwhile, and then it goes on", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ristretto-restart-"));
  let postgres: EmbeddedPostgres = await startPostgres(folder, { fsync: "off" });
  const { migrate } = await import("../src/db/migrate.ts");
  await migrate(postgres.url);
  const shop = await openShop({ databaseUrl: postgres.url });
  try {
    expect((await shop.call("GET", "/categories")).statusCode).toBe(200);
    const port = new URL(postgres.url).port;
    await postgres.stop();
    for (const response of await Promise.all(
      Array.from({ length: 30 }, () => shop.call("GET", "/categories")),
    ))
      expectProblem(response, 503, "unavailable");
    expect((await shop.call("GET", "/health")).statusCode).toBe(503);
    postgres = await startPostgres(folder, { fsync: "off", port });
    await eventually(async () => (await shop.call("GET", "/health")).statusCode === 200);
    for (const response of await Promise.all(
      Array.from({ length: 30 }, () => shop.call("GET", "/categories")),
    ))
      expect(response.statusCode).toBe(200);
  } finally {
    await shop.close();
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test("a pool with connections to spare keeps nothing of the queries that it has run", async () => {
  const sql = openPool(url, { name: "spare", max: 3 });
  await Promise.all(Array.from({ length: 3 }, () => sql`select pg_sleep(0.05)`));
  for (let n = 0; n < 500; n++) await sql`select 1`;

  const indexOf = vi.spyOn(Array.prototype, "indexOf");
  await sql`select 1`;
  const lookedThrough = (indexOf.mock.contexts as unknown[][]).map(({ length }) => length);
  indexOf.mockRestore();
  expect(lookedThrough.length).toBeGreaterThan(0);
  expect(Math.max(...lookedThrough)).toBeLessThan(100);
  await sql.end();
});
