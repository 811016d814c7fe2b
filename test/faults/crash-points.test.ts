// The service is stopped for good at each point of a placement, by SIGKILL; where it is stopped is decided by a lock
// that the test holds in the database, or by the provider, so that the service itself knows of nothing.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Pool } from "../../src/db/pool.ts";
import { openPool } from "../../src/db/pool.ts";
import { makeProduct, makeUser } from "../factories.ts";
import { cloneDatabase, eventually } from "../harness.ts";
import { type Instance, productionSecret, startInstance } from "../instance.ts";
import { signTestToken } from "../tokens.ts";
import { type Bank, openBank } from "./fake-provider.ts";
import { expectBalanced, untilAtRest } from "./ledger-assertions.ts";

let bank: Bank;
let sql: Pool;
let databaseUrl: string;
const running: Instance[] = [];

beforeAll(async () => {
  bank = await openBank();
  databaseUrl = await cloneDatabase();
  sql = openPool(databaseUrl, { name: "test", max: 5, idleInTransactionMs: 0 });
  // A commit of an order waits for this lock, when a test holds it.
  await sql.unsafe(`
    create function wait_at_commit() returns trigger language plpgsql as
      'begin perform pg_advisory_xact_lock_shared(4711); return null; end';
    create constraint trigger wait_at_commit after insert on orders
      deferrable initially deferred for each row execute function wait_at_commit()`);
});

afterEach(async () => {
  for (const instance of running.splice(0)) await instance.end("SIGKILL");
  bank.mood = () => "fine";
  bank.onCharge = () => {};
});

afterAll(async () => {
  await sql.end();
  await bank.close();
});

async function start(): Promise<Instance> {
  const instance = await startInstance({
    DATABASE_URL: databaseUrl,
    PAYMENT_SERVICE_URL: `${bank.url}/payments`,
    PAYMENT_REFUND_URL: `${bank.url}/refunds`,
    NOTIFICATION_SERVICE_URL: `${bank.url}/notifications`,
    PAYMENT_TIMEOUT_MS: "2000",
  });
  running.push(instance);
  return instance;
}

async function customer(instance: Instance) {
  const user = await makeUser(sql);
  const product = await makeProduct(sql);
  const token = signTestToken({ sub: user.id, role: "customer" }, productionSecret);
  const place = (at: Instance = instance) =>
    fetch(`${at.url}/api/v1/orders`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        "idempotency-key": "k",
      },
      body: JSON.stringify({ items: [{ product_id: product.id, quantity: 1 }] }),
    });
  const rows = async () => {
    const [row] = await sql`
      select
        (select count(*)::int from orders where customer_id = ${user.id}) as orders,
        (select json_agg(status) from payments where customer_id = ${user.id}) as payments`;
    return row;
  };
  return { place, rows, user };
}

/** Kills the instance, and with it the connections that it had: what they waited for must not happen any more. */
async function kill(instance: Instance) {
  instance.process.kill("SIGSTOP");
  const mine = sql`datname = current_database() and application_name in ('ristretto checkout', 'ristretto ledger')`;
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where ${mine}`;
  await instance.end("SIGKILL");
  await eventually(async () => (await sql`select from pg_stat_activity where ${mine}`).length === 0);
}

/** Runs `body` while a lock is held that stops the service at one statement. */
async function holding(lock: (tx: Pool) => Promise<unknown>, body: () => Promise<void>) {
  const { promise: held, resolve: taken } = Promise.withResolvers<void>();
  const { promise: done, resolve: release } = Promise.withResolvers<void>();
  const holder = sql.begin(async (tx) => {
    await lock(tx as never);
    taken();
    await done;
  });
  await held;
  await body().finally(release);
  await holder;
}

const waitingFor = (query: string) =>
  eventually(async () => {
    const waiting = await sql`
      select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query ilike ${`%${query}%`}`;
    return waiting.length > 0;
  });

/** After the crash: a retry with the key makes the one order, without a second charge. */
async function expectRetryMakesOneOrder(
  { place, rows }: Awaited<ReturnType<typeof customer>>,
  charges: number,
) {
  const next = await start();
  const response = await eventually(async () => {
    const answer = await place(next);
    return answer.status === 409 ? null : answer;
  });
  expect(response.status, await response.clone().text()).toBe(201);
  expect(await rows()).toEqual({ orders: 1, payments: ["succeeded"] });
  expect(bank.charged.size).toBe(charges + 1);
  await untilAtRest(sql);
  await expectBalanced(sql, bank);
}

test("killed before the ledger's row: nothing was asked for, and a retry orders", async () => {
  const instance = await start();
  const ann = await customer(instance);
  const charges = bank.charged.size;
  await holding(
    (tx) => tx`lock table payments in exclusive mode`,
    async () => {
      const placing = ann.place().catch(() => "cut");
      await waitingFor("insert into payments");
      await kill(instance);
      expect(await placing).toBe("cut");
    },
  );
  expect(await ann.rows()).toEqual({ orders: 0, payments: null });
  expect(bank.charged.size).toBe(charges);
  await expectRetryMakesOneOrder(ann, charges);
});

test("killed after the ledger's row, before the charge: the row is pending, and a retry asks under its id", async () => {
  const instance = await start();
  const ann = await customer(instance);
  const charges = bank.charged.size;
  const asked: string[] = [];
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  bank.onCharge = (key) => {
    asked.push(key);
    reach();
    return sleep(60_000, undefined, { ref: false });
  };
  const placing = ann.place().catch(() => "cut");
  await reached;
  await kill(instance);
  expect(await placing).toBe("cut");
  expect(await ann.rows()).toEqual({ orders: 0, payments: ["pending"] });
  bank.onCharge = (key) => void asked.push(key);
  await expectRetryMakesOneOrder(ann, charges);
  expect(new Set(asked).size).toBe(1);
});

test("killed after the charge, before the insert: a retry makes the order of that same charge", async () => {
  const instance = await start();
  const ann = await customer(instance);
  const charges = bank.charged.size;
  await holding(
    (tx) => tx`lock table orders in share mode`,
    async () => {
      const placing = ann.place().catch(() => "cut");
      await waitingFor("insert into orders");
      await kill(instance);
      expect(await placing).toBe("cut");
    },
  );
  expect(await ann.rows()).toEqual({ orders: 0, payments: ["pending"] });
  expect(bank.charged.size).toBe(charges + 1);
  await expectRetryMakesOneOrder(ann, charges);
});

test("killed after the charge, and nobody asks again: the charge is given back within a minute", async () => {
  const instance = await start();
  const ann = await customer(instance);
  bank.mood = (path) => (path === "/payments" ? "fine, then silence" : "fine");
  const charges = bank.charged.size;
  const placing = ann.place().catch(() => "cut");
  await eventually(() => bank.charged.size > charges);
  await kill(instance);
  expect(await placing).toBe("cut");
  await start();
  await untilAtRest(sql, 60);
  expect(await ann.rows()).toEqual({ orders: 0, payments: ["refunded"] });
  await expectBalanced(sql, bank);
}, 90_000);

test("killed after the insert, before the commit: the order is gone, and a retry makes it of the same charge", async () => {
  const instance = await start();
  const ann = await customer(instance);
  const charges = bank.charged.size;
  await holding(
    (tx) => tx`select pg_advisory_xact_lock(4711)`,
    async () => {
      const placing = ann.place().catch(() => "cut");
      await waitingFor("commit");
      await kill(instance);
      expect(await placing).toBe("cut");
    },
  );
  expect(await ann.rows()).toEqual({ orders: 0, payments: ["pending"] });
  expect(bank.charged.size).toBe(charges + 1);
  await expectRetryMakesOneOrder(ann, charges);
});

test("killed after the commit was sent, before the answer: the order is there, and a retry is told of it", async () => {
  const instance = await start();
  const ann = await customer(instance);
  const charges = bank.charged.size;
  await holding(
    (tx) => tx`select pg_advisory_xact_lock(4711)`,
    async () => {
      const placing = ann.place().catch(() => "cut");
      await waitingFor("commit");
      // The process alone: PostgreSQL goes on and commits.
      await instance.end("SIGKILL");
      expect(await placing).toBe("cut");
    },
  );
  await eventually(async () => (await ann.rows())?.orders === 1);
  const replay = await ann.place(await start());
  expect(replay.status).toBe(200);
  expect(replay.headers.get("idempotent-replayed")).toBe("true");
  expect(await ann.rows()).toEqual({ orders: 1, payments: ["succeeded"] });
  expect(bank.charged.size).toBe(charges + 1);
  await expectBalanced(sql, bank);
});

test("a database connection lost while the provider is called: 503, and the charge is given back", async () => {
  const instance = await start();
  const ann = await customer(instance);
  const charges = bank.charged.size;
  bank.onCharge = async () => {
    await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'ristretto checkout'`;
    await sleep(100);
  };
  const response = await ann.place();
  expect(response.status).toBe(503);
  expect(response.headers.get("content-type")).toMatch("application/problem+json");
  expect(await response.json()).toMatchObject({ code: "unavailable" });
  bank.onCharge = () => {};
  // As if it had been a while ago: by then the provider, which goes on without us, is done.
  await eventually(() => bank.charged.size === charges + 1);
  await sql`update payments set attempted_at = now() - interval '1 minute' where order_id is null`;
  await untilAtRest(sql);
  expect(await ann.rows()).toEqual({ orders: 0, payments: ["refunded"] });
  await expectBalanced(sql, bank);
  expect((await ann.place()).status).toBe(201);
});
