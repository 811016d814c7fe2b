// The driver's connections and transactions: each fix in patches/ has its test here, in the order of the patches.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { openPool, type Pool } from "../src/db/pool.ts";
import { type EmbeddedPostgres, startPostgres } from "../src/dev/postgres.ts";
import { cloneDatabase, eventually, expectProblem, openShop } from "./harness.ts";

let url: string;
/** Another client of the same database: it cuts connections, changes tables and looks on. */
let killer: Pool;
beforeAll(async () => {
  url = await cloneDatabase();
  killer = openPool(url, { name: "killer", max: 1 });
  await killer`create table notes (text text constraint notes_are_short check (length(text) < 10))`;
});
afterAll(() => killer.end());

/** Opens a pool on an empty table of notes until the test ends. */
async function open(name: string, max = 1): Promise<Pool> {
  await killer`truncate notes`;
  const sql = openPool(url, { name, max });
  onTestFinished(() => sql.end({ timeout: 1 }));
  return sql;
}

const notes = async () => (await killer`select text from notes order by text`).map(({ text }) => text);

const cut = (name: string) => killer`
  select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and application_name = ${`ristretto ${name}`} and random() < 0.4`;

test("transactions that lose their connection under load fail alone, and every connection works afterwards", async () => {
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
          // A result of another client's statement would show here.
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
    // Wait until another transaction uses the pool's one connection.
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

test("the error of a lost statement does not reach the next connection", async () => {
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

test("the API responds 503 unavailable while PostgreSQL is down, and works again when it is back", async () => {
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

test("statements that wait in a transaction are rejected when its connection is lost", async () => {
  const sql = await open("waiting");
  const settled: unknown[] = [];
  const lost = sql.begin(async (tx) => {
    await tx`select 1`;
    // The first statement is described before it runs; the others wait for that.
    const statements = [1, 2, 3].map((n) => tx`select pg_sleep(5), ${n}::int`);
    settled.push(...(await Promise.all(statements.map((statement) => statement.catch(({ code }) => code)))));
  });
  lost.catch(() => {});
  await eventually(async () => {
    const cutNow = await killer`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'ristretto waiting' and wait_event = 'PgSleep'`;
    return cutNow.length === 1;
  });
  await expect(lost).rejects.toMatchObject({ code: expect.stringMatching(/CONNECTION_CLOSED|57P01/) });
  await eventually(() => settled.length === 3);
  for (const code of settled) expect(code).toMatch(/CONNECTION_CLOSED|57P01/);
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
});

test("a pool with spare connections keeps nothing of finished queries", async () => {
  const sql = openPool(url, { name: "spare", max: 3 });
  await Promise.all(Array.from({ length: 3 }, () => sql`select pg_sleep(0.05)`));
  for (let n = 0; n < 500; n++) await sql`select 1`;

  const indexOf = vi.spyOn(Array.prototype, "indexOf");
  await sql`select 1`;
  const searchedLengths = (indexOf.mock.contexts as unknown[][]).map(({ length }) => length);
  indexOf.mockRestore();
  expect(searchedLengths.length).toBeGreaterThan(0);
  expect(Math.max(...searchedLengths)).toBeLessThan(100);
  await sql.end();
});

describe("a statement that cannot be serialized", () => {
  const unserializable = undefined as unknown as string;

  test("is rejected alone, and the connection stays usable", async () => {
    const sql = await open("unserializable");
    const backend = async () => (await sql`select pg_backend_pid() as pid`)[0]!.pid;
    const before = await backend();
    const settled: PromiseSettledResult<unknown>[] = [];
    const failing = sql.begin(async (tx) => {
      settled.push(
        ...(await Promise.allSettled([
          tx`select 1 as n`,
          tx`select ${unserializable}::text`,
          tx`select 3 as n`,
        ])),
      );
    });
    await expect(failing).rejects.toMatchObject({ code: "UNDEFINED_VALUE" });
    expect(settled).toMatchObject([
      { value: [{ n: 1 }] },
      { reason: { code: "UNDEFINED_VALUE" } },
      { value: [{ n: 3 }] },
    ]);
    await expect(sql`select ${unserializable}`).rejects.toMatchObject({ code: "UNDEFINED_VALUE" });
    expect(await backend()).toBe(before);
  }, 10_000);

  test("rolls its transaction back", async () => {
    const sql = await open("unserializable");
    const failing = (value: string) =>
      sql.begin(async (tx) => {
        await tx`insert into notes values ('a')`;
        await tx`select ${value}::timestamptz`;
      });
    await expect(failing(unserializable)).rejects.toMatchObject({ code: "UNDEFINED_VALUE" });
    // The first run learns the parameter's type from PostgreSQL; the second run knows it.
    for (let round = 0; round < 2; round++)
      await expect(failing("nonsense+01:00")).rejects.toThrow("Invalid time value");
    expect(await notes()).toEqual([]);
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  }, 10_000);
});

describe("a statement whose table has changed", () => {
  test("fails at most once in a transaction", async () => {
    const sql = await open("changed");
    await killer`create table changing (a int)`;
    const read = () => sql.begin((tx) => Promise.all([tx`select * from changing`, tx`select ${1}::int`]));
    await read();
    await killer`alter table changing add column b int`;
    await read().catch(() => {});
    await read();
    await killer`insert into changing values (1, 2)`;
    expect((await read())[0]).toEqual([{ a: 1, b: 2 }]);
  });

  test("returns its own rows beside other statements, and so do they", async () => {
    const sql = await open("changed", 3);
    const read = (i: number) =>
      Promise.all([
        sql`select text from notes where text <> ${`${i}`}`,
        sql`select ${i}::int as i, ${i + 1}::int as j`,
      ]);
    await killer`insert into notes values ('a')`;
    const numbers = Array.from({ length: 12 }, (_, nth) => nth + 1);
    await Promise.all(numbers.map(read));
    for (const type of ["varchar(30)", "text"]) {
      await killer.unsafe(`alter table notes alter column text type ${type}`);
      const results = await Promise.all(numbers.map(read));
      for (const [nth, result] of results.entries())
        expect(result).toEqual([[{ text: "a" }], [{ i: nth + 1, j: nth + 2 }]]);
    }
  }, 10_000);

  test("serializes its parameters once", async () => {
    const sql = await open("changed");
    await killer`create table settings (id int, value jsonb)`;
    const insert = () =>
      sql`insert into settings values (1, ${sql.json({ key: "value" })}) returning id, value`;
    await insert();
    await killer`alter table settings alter column id type smallint`;
    expect(await insert()).toEqual([{ id: 1, value: { key: "value" } }]);
  });
});

describe("a commit that PostgreSQL turns into a rollback is an error", () => {
  test("of the statement that failed and was not awaited", async () => {
    const sql = await open("commit");
    const transaction = sql.begin(async (tx) => {
      tx`insert into notes values ('a')`.catch(() => {});
      tx`insert into notes values ('much too long')`.catch(() => {});
    });
    await expect(transaction).rejects.toMatchObject({ constraint_name: "notes_are_short" });
    expect(await notes()).toEqual([]);
  });

  test("of the commit, when PostgreSQL no longer knows the prepared statement", async () => {
    const sql = await open("commit");
    // The insert is not prepared, so that the commit is the first unknown statement.
    const write = () => sql.begin((tx) => tx.unsafe("insert into notes values ('a')").then(() => {}));
    await write();
    await sql.unsafe("deallocate all").simple();
    await expect(write()).rejects.toMatchObject({ code: "TRANSACTION_ROLLED_BACK" });
    expect(await notes()).toEqual(["a"]);
    await write();
    expect(await notes()).toEqual(["a", "a"]);
  });
});

test("when one of several statements fails, their transaction fails and the connection stays usable", async () => {
  const sql = await open("together");
  const settled: PromiseSettledResult<unknown>[] = [];
  const write = () =>
    sql.begin(async (tx) => {
      settled.push(
        ...(await Promise.allSettled([
          tx`insert into notes values ('a')`,
          tx`insert into notes values ('far too long')`,
          tx`insert into notes values (${"c"})`,
        ])),
      );
    });
  // The second round finds the statements prepared.
  for (let round = 0; round < 2; round++) {
    await expect(write()).rejects.toMatchObject({ constraint_name: "notes_are_short" });
    await sql.begin((tx) => tx`insert into notes values ('d')`);
  }
  expect(settled.map(({ status }) => status)).toEqual(
    Array(2).fill(["fulfilled", "rejected", "rejected"]).flat(),
  );
  expect(await notes()).toEqual(["d", "d"]);
});

test("a statement that fails after its first rows adds nothing to the next result", async () => {
  const sql = await open("rows");
  await expect(sql`select 1 / (4 - n) from generate_series(1, 9) n`).rejects.toThrow("division by zero");
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
});

test("a begin that fills the pipeline of its connection leaves no transaction open", async () => {
  const sql = await open("pipeline", 2);
  const wait = () => sql`select pg_sleep(0.05)`;
  await Promise.all([wait(), wait()]);
  // A connection takes a hundred statements beside the one that runs.
  const statements = Array.from({ length: 200 }, () => sql`select 1`.execute());
  const transactions = [1, 2].map(() => sql.begin((tx) => tx`select 1 as one`));
  await Promise.all(statements);
  for (const transaction of transactions) expect(await transaction).toEqual([{ one: 1 }]);
  const unfinished = await killer`
    select 1 from pg_stat_activity
    where datname = current_database() and application_name = 'ristretto pipeline' and state <> 'idle'`;
  expect(unfinished).toEqual([]);
});

test("an idle transaction that has only read holds no snapshot", async () => {
  const sql = await open("snapshot");
  const transaction = await sql.begin(async (tx) => {
    await tx`select text from notes where text = ${"a"}`;
    const [row] = await killer`
      select state, backend_xmin from pg_stat_activity
      where datname = current_database() and application_name = 'ristretto snapshot'`;
    return row;
  });
  expect(transaction).toEqual({ state: "idle in transaction", backend_xmin: null });
});
