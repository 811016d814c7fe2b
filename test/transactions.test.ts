// Transactions as the mended driver runs them: `begin` with the first statement, `commit` with the last.
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { last, openPool, type Pool } from "../src/db/pool.ts";
import { cloneDatabase } from "./harness.ts";

let url: string;
let sql: Pool;
beforeAll(async () => {
  url = await cloneDatabase();
  sql = openPool(url, { name: "transactions", max: 1 });
  await sql`create table notes (text text constraint notes_are_short check (length(text) < 10))`;
});
beforeEach(() => sql`truncate notes`);
afterAll(() => sql.end());

const backend = async () => (await sql`select pg_backend_pid() as pid`)[0]!.pid;
const notes = async () => (await sql`select text from notes order by text`).map(({ text }) => text);

test("the last statement is committed with what came before it", async () => {
  const gave = await sql.begin(async (tx) => {
    await tx`insert into notes values ('a')`;
    last(tx);
    const [row] = await tx`insert into notes values ('b') returning text`;
    return row!.text;
  });
  expect(gave).toBe("b");
  expect(await notes()).toEqual(["a", "b"]);
});

test("when the last statement fails, all is rolled back, and the connection is good for the next one", async () => {
  const before = await backend();
  const failing = sql.begin(async (tx) => {
    await tx`insert into notes values ('a')`;
    last(tx);
    await tx`insert into notes values ('far too long')`;
  });
  await expect(failing).rejects.toMatchObject({ constraint_name: "notes_are_short" });
  expect(await notes()).toEqual([]);
  await sql.begin((tx) => tx`insert into notes values ('c')`);
  expect(await notes()).toEqual(["c"]);
  expect(await backend()).toBe(before);
});

test("what comes after the last statement is refused, and runs in nobody's transaction", async () => {
  let late: unknown;
  const transaction = sql.begin(async (tx) => {
    last(tx);
    await tx`insert into notes values ('a')`;
    late = await tx`insert into notes values ('late')`.catch((error) => error.code);
  });
  // It is an error of the one who wrote it, and what was committed before it stays.
  await expect(transaction).rejects.toMatchObject({ code: "TRANSACTION_ENDED" });
  expect(late).toBe("TRANSACTION_ENDED");
  expect(await notes()).toEqual(["a"]);
});

test("one that throws after its last statement was told, and before it was sent, is rolled back", async () => {
  const failing = sql.begin(async (tx) => {
    await tx`insert into notes values ('a')`;
    last(tx);
    throw new Error("changed its mind");
  });
  await expect(failing).rejects.toThrow("changed its mind");
  expect(await notes()).toEqual([]);
});

test("throwing after the last statement was committed takes nothing back, and nothing of anybody else", async () => {
  const failing = sql.begin(async (tx) => {
    last(tx);
    await tx`insert into notes values ('a')`;
    // By now the connection is another transaction's.
    await sleep(20);
    throw new Error("too late");
  });
  const other = sleep(5).then(() =>
    sql.begin(async (tx) => {
      await tx`insert into notes values ('other')`;
      await sleep(60);
    }),
  );
  await expect(failing).rejects.toThrow("too late");
  await other;
  expect(await notes()).toEqual(["a", "other"]);
});

test("when one of those that are asked for together fails, they all do, and the connection is good for the next one", async () => {
  const settled: PromiseSettledResult<unknown>[] = [];
  const ask = () =>
    sql.begin(async (tx) => {
      settled.push(
        ...(await Promise.allSettled([
          tx`insert into notes values ('a')`,
          tx`insert into notes values ('far too long')`,
          // The first time it has to be described, which PostgreSQL passes over too.
          tx`insert into notes values (${"c"})`,
        ])),
      );
    });
  for (let round = 0; round < 2; round++) {
    await expect(ask()).rejects.toMatchObject({ constraint_name: "notes_are_short" });
    await sql.begin((tx) => tx`insert into notes values ('d')`);
  }
  expect(settled.map(({ status }) => status)).toEqual(
    Array(2).fill(["fulfilled", "rejected", "rejected"]).flat(),
  );
  expect(await notes()).toEqual(["d", "d"]);
});

test("a statement that can't be written is rejected itself, and nobody waits for its answer", async () => {
  const before = await backend();
  const settled: PromiseSettledResult<unknown>[] = [];
  const failing = sql.begin(async (tx) => {
    settled.push(
      ...(await Promise.allSettled([
        tx`select 1 as n`,
        tx`select ${undefined as unknown as string}::text`,
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
  await expect(sql`select ${undefined as unknown as string}`).rejects.toMatchObject({
    code: "UNDEFINED_VALUE",
  });
  expect(await backend()).toBe(before);
});

test("when the last statement can't be written, what came before it isn't committed", async () => {
  const before = await backend();
  const failing = (value: string | undefined) =>
    sql.begin(async (tx) => {
      await tx`insert into notes values ('a')`;
      last(tx);
      await tx`select ${value as string}::timestamptz`;
    });
  await expect(failing(undefined)).rejects.toMatchObject({ code: "UNDEFINED_VALUE" });
  // The first time it is known to be a time when PostgreSQL has told, after that at once.
  for (let round = 0; round < 2; round++)
    await expect(failing("nonsense+01:00")).rejects.toThrow("Invalid time value");
  expect(await notes()).toEqual([]);
  expect(await backend()).toBe(before);
});

test("a statement whose table has changed fails once at most", async () => {
  await sql`create table changing (a int)`;
  const read = () => sql.begin((tx) => Promise.all([tx`select * from changing`, tx`select ${1}::int`]));
  await read();
  await sql`alter table changing add column b int`;
  await read().catch(() => {});
  await read();
  await sql`insert into changing values (1, 2)`;
  expect((await read())[0]).toEqual([{ a: 1, b: 2 }]);
});

test("of those that travel together, one whose table has changed gets its own answer, and so do the others", async () => {
  const [one, other] = [openPool(url, { name: "one", max: 3 }), openPool(url, { name: "other", max: 1 })];
  onTestFinished(async () => void (await Promise.all([one.end({ timeout: 1 }), other.end()])));
  const ask = (i: number) =>
    Promise.all([
      one`select text from notes where text <> ${`${i}`}`,
      one`select ${i}::int as i, ${i + 1}::int as j`,
    ]);
  await other`insert into notes values ('a')`;
  const crowd = Array.from({ length: 12 }, (_, nth) => nth + 1);
  await Promise.all(crowd.map(ask));
  for (const type of ["varchar(30)", "text"]) {
    await other.unsafe(`alter table notes alter column text type ${type}`);
    const answers = await Promise.all(crowd.map(ask));
    for (const [nth, answer] of answers.entries())
      expect(answer).toEqual([[{ text: "a" }], [{ i: nth + 1, j: nth + 2 }]]);
  }
}, 10_000);

test("a transaction whose statements the server no longer knows is committed or fails, and says which", async () => {
  const one = openPool(url, { name: "one", max: 1 });
  onTestFinished(() => one.end({ timeout: 1 }));
  // A begin that travels alone, and a commit that does or does not.
  const write = (together: boolean) =>
    one.begin(async (tx) => {
      await sleep(5);
      if (together) last(tx);
      await tx`insert into notes values (${"a"})`;
    });
  let written = 0;
  for (const together of [false, true, false, true]) {
    await write(together);
    written++;
    await one.unsafe("deallocate all").simple();
    for (let nth = 0; nth < 3; nth++)
      written += await write(together)
        .then(() => 1)
        .catch(() => 0);
    expect(await notes()).toHaveLength(written);
    expect(await one`select ${1}::int as it`).toEqual([{ it: 1 }]);
  }
  expect(written).toBeGreaterThanOrEqual(8);
}, 10_000);

test("a template says something else with another fragment, or a value, in the same place", async () => {
  const read = (part: unknown) => sql`select ${part as string} as it`;
  for (let round = 0; round < 2; round++) {
    expect(await read(sql`${"x"}::text`)).toEqual([{ it: "x" }]);
    expect(await read(sql`length(${"xyz"})`)).toEqual([{ it: 3 }]);
    expect(await read("y")).toEqual([{ it: "y" }]);
    expect(await read(true)).toEqual([{ it: true }]);
  }
});

test("one of two reads and a last write takes two packets, and two answers", async () => {
  const packets: number[] = [];
  let answers = 0;
  const { hostname, port } = new URL(url);
  const sockets: Socket[] = [];
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname);
    sockets.push(client, server);
    client.on("data", (chunk) => {
      packets.push(chunk.length);
      server.write(chunk);
    });
    let received = Buffer.alloc(0);
    server.on("data", (chunk) => {
      client.write(chunk);
      received = Buffer.concat([received, chunk]);
      // A letter, four bytes of length, and the rest; Z: ready for the next query.
      for (; received.length > 4; received = received.subarray(1 + received.readUInt32BE(1))) {
        if (received.length < 1 + received.readUInt32BE(1)) break;
        if (received[0] === "Z".charCodeAt(0)) answers++;
      }
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => proxy.once("listening", resolve));
  const through = new URL(url);
  through.port = String((proxy.address() as { port: number }).port);
  const pool = openPool(through.href, { name: "counted", max: 1 });
  onTestFinished(async () => {
    await pool.end();
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const transaction = () =>
    pool.begin(async (tx) => {
      await Promise.all([tx`select ${1}::int`, tx`select ${"x".repeat(3_000)}::text`]);
      last(tx);
      await tx`insert into notes select left(${"y".repeat(3_000)}, 1)`;
    });
  // The first time statements are described too.
  await transaction();
  packets.length = 0;
  answers = 0;
  await transaction();
  expect(packets).toHaveLength(2);
  expect(answers).toBe(2);
  expect(await notes()).toEqual(["y", "y"]);
});

test("nothing keeps what a transaction made once it is over, however rarely the old are collected", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as (options?: { type: "minor" }) => void;
  const old = () =>
    getHeapSpaceStatistics()
      .filter(({ space_name }) => !space_name.startsWith("new"))
      .reduce((sum, { space_used_size }) => sum + space_used_size, 0);
  const transactions = async (count: number) => {
    for (let n = 0; n < count; n++) {
      await sql.begin(async (tx) => {
        last(tx);
        await tx`insert into notes select left(${"x".repeat(30_000 + n)}, 1)`;
      });
      // What is reached from the old, dead or not, becomes old.
      if (n % 20 === 19) gc({ type: "minor" });
    }
  };
  await transactions(100);
  gc();
  const before = old();
  await transactions(500);
  expect(old() - before).toBeLessThan((500 * 30_000) / 4);
});
