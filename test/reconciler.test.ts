import { pino } from "pino";
import { v7 as uuidv7 } from "uuid";
import { afterEach, expect, test } from "vitest";
import { startWorker, type Worker } from "../src/jobs.ts";
import { reconcile } from "../src/refunds/reconciler.ts";
import { makeProduct } from "./factories.ts";
import { eventually, expectProblem, testShop } from "./harness.ts";

const shop = testShop();

let worker: Worker | undefined;
const startWork = async (refundable = true) => {
  const paymentRefundUrl = refundable ? `${shop.provider.url}/refunds` : undefined;
  const settings = { ...shop.app.settings, paymentRefundUrl } as Parameters<typeof startWorker>[0];
  worker = await startWorker(settings, shop.sql, pino({ level: "silent" }));
};
const stopWork = async () => {
  await worker?.stop();
  worker = undefined;
};
afterEach(stopWork);

/** A placement with a key whose charge nobody knows the end of, a while ago. */
async function abandoned(status: "pending" | "unknown" = "unknown") {
  const customer = await shop.as("customer");
  const product = await makeProduct(shop.sql, { base_price_cents: 450 });
  const place = () =>
    customer.call("POST", "/orders", {
      body: { items: [{ product_id: product.id, quantity: 1 }] },
      headers: { "idempotency-key": "k" },
    });
  shop.provider.answer = () => "silence";
  expectProblem(await place(), 402, "payment_unconfirmed");
  const [payment] = await shop.sql<[{ id: string }]>`
    update payments set status = ${status}, attempted_at = now() - interval '1 minute' returning id`;
  shop.provider.reset();
  return { id: payment.id, place };
}

const ledger = async () => {
  const [row] = await shop.sql`
    select
      (select json_agg(json_build_array(status, order_id is not null)) from payments) as payments,
      (select json_agg(status) from refunds) as refunds,
      (select json_agg(problem) from payments_out_of_balance) as out_of_balance`;
  return row;
};

test.each(["pending", "unknown"] as const)(
  "a charge left %s is refunded under the refund's own key",
  async (status) => {
    const { id, place } = await abandoned(status);
    expect((await ledger())?.out_of_balance).toEqual(["charge_without_order"]);
    await startWork();
    await eventually(async () => (await ledger())?.payments[0][0] === "refunded");
    expect(await ledger()).toEqual({
      payments: [["refunded", false]],
      refunds: ["succeeded"],
      out_of_balance: null,
    });
    const [refund] = await shop.sql`select id, amount_cents, reason, response from refunds`;
    expect(refund).toMatchObject({ amount_cents: 450, response: { status: 200 } });
    expect(shop.provider.calls.map(({ path, key, body }) => ({ path, key, body }))).toEqual([
      { path: "/refunds", key: refund!.id, body: { payment_id: id, value: 450 } },
    ]);
    const [event] = await shop.sql`select subject_id, data from events where type = 'payment.refunded'`;
    expect(event).toEqual({
      subject_id: id,
      data: { refund_id: refund!.id, payment_id: id, amount_cents: 450 },
    });
    // The key is free again, and its next charge is a new one.
    expect((await place()).statusCode).toBe(201);
    expect(shop.provider.callsTo("/payments")[0]!.key).not.toBe(id);
  },
);

test("a charge that the provider never saw is failed", async () => {
  await abandoned();
  shop.provider.answer = () => ({ status: 404 });
  await startWork();
  await eventually(async () => (await ledger())?.payments[0][0] === "failed");
  expect(await ledger()).toEqual({
    payments: [["failed", false]],
    refunds: ["failed"],
    out_of_balance: null,
  });
  expect(await shop.sql`select from events where type = 'payment.refunded'`).toHaveLength(0);
});

test("without a refund endpoint it is refund_due at once, and a human sees it", async () => {
  await abandoned();
  await startWork(false);
  await eventually(async () => (await ledger())?.payments[0][0] === "refund_due");
  expect(await ledger()).toEqual({
    payments: [["refund_due", false]],
    refunds: ["due"],
    out_of_balance: ["refund_due"],
  });
  expect(shop.provider.calls).toEqual([]);
});

test.each([
  ["an error", { status: 500 } as const],
  ["a no", { status: 200, body: { success: false } } as const],
  ["a decline", { status: 402 } as const],
  ["a cut connection", "reset" as const],
])("after %s it is tried again, with the same key", async (_what, failure) => {
  const { place } = await abandoned();
  shop.provider.answer = (_call, nth) => (nth === 1 ? failure : { status: 200 });
  await startWork();
  await eventually(() => shop.provider.calls.length === 1);
  const refund = await eventually(
    async () =>
      (
        await shop.sql`
          select r.status, r.attempts, extract(epoch from run_at - now())::float as wait
          from refunds r join graphile_worker.jobs on key = 'refund ' || r.id
          where response is not null and locked_at is null`
      )[0],
  );
  expect(refund).toMatchObject({ status: "pending", attempts: 1 });
  expect(refund.wait).toBeLessThan(3);
  // The customer's retry waits until it is settled.
  expectProblem(await place(), 409, "idempotency_in_progress");
  await eventually(async () => (await ledger())?.refunds[0] === "succeeded", 10);
  expect(new Set(shop.provider.callsTo("/refunds").map(({ key }) => key)).size).toBe(1);
});

test("after about a day of attempts it is due", async () => {
  await abandoned();
  shop.provider.answer = () => ({ status: 500 });
  await reconcile(shop.sql, 10);
  const [{ hours }] = await shop.sql<[{ hours: number }]>`
    select sum(exp(least(attempt, 10)))::float / 3600 as hours
    from graphile_worker.jobs, generate_series(1, max_attempts - 1) attempt`;
  expect(hours).toBeGreaterThan(20);
  expect(hours).toBeLessThan(30);
  await shop.sql`update graphile_worker._private_jobs set attempts = max_attempts - 2`;
  await startWork();
  await eventually(() => shop.provider.callsTo("/refunds").length === 1);
  await eventually(
    async () => (await shop.sql`select from graphile_worker.jobs where run_at > now()`).length,
  );
  expect((await ledger())?.refunds).toEqual(["pending"]);
  await shop.sql`update graphile_worker._private_jobs set run_at = now()`;
  await eventually(async () => (await ledger())?.payments[0][0] === "refund_due");
  expect((await ledger())?.refunds).toEqual(["due"]);
});

test("a charge within its budget and margin is left alone", async () => {
  await abandoned();
  await shop.sql`update payments set attempted_at = now() - interval '10 seconds'`;
  expect(await reconcile(shop.sql, 11)).toEqual([]);
  expect(await reconcile(shop.sql, 9)).toHaveLength(1);
});

test("ten reconcilers at once make one refund, and one of two workers sends it", async () => {
  await abandoned();
  const claims = await Promise.all(Array.from({ length: 10 }, () => reconcile(shop.sql, 10)));
  expect(claims.flat()).toHaveLength(1);
  expect(await shop.sql`select from refunds`).toHaveLength(1);
  await startWork();
  const first = worker;
  await startWork();
  await eventually(async () => (await ledger())?.refunds[0] === "succeeded");
  await first?.stop();
  expect(shop.provider.callsTo("/refunds")).toHaveLength(1);
});

/** Runs a periodic task of the worker now. */
const runTask = (task: string) =>
  eventually(async () => {
    await shop.sql`select graphile_worker.add_job(${task}, job_key => 'test')`;
    return eventually(
      async () => (await shop.sql`select from graphile_worker.jobs where key = 'test'`).length === 0,
    );
  });

test("a refund whose worker died is sent by another one; the jobs of a live worker stay locked", async () => {
  await abandoned();
  await reconcile(shop.sql, 10);
  const lock = (by: string, seconds: number) => shop.sql`
    update graphile_worker._private_jobs set locked_by = ${by}, locked_at = now() - ${seconds} * interval '1 second'
    where key like 'refund %'`;
  await lock("pool-of-a-dead-worker", 20);
  await startWork();
  const alive = await eventually(
    async () =>
      (
        await shop.sql`
          select substr(application_name, 16) as id from pg_stat_activity
          where datname = current_database() and application_name like 'ristretto jobs %'`
      )[0],
  );
  // It may live: its connection may just be cut.
  await runTask("unlock_stale_jobs");
  await lock(alive.id, 3600);
  await runTask("unlock_stale_jobs");
  expect(await shop.sql`select locked_by from graphile_worker.jobs`).toEqual([{ locked_by: alive.id }]);
  expect(shop.provider.callsTo("/refunds")).toEqual([]);
  await lock("pool-of-a-dead-worker", 31);
  await runTask("unlock_stale_jobs");
  await eventually(async () => (await ledger())?.refunds[0] === "succeeded");
});

test("a refund whose worker died in the last attempt is sent again", async () => {
  await abandoned();
  await reconcile(shop.sql, 10);
  await shop.sql`update graphile_worker._private_jobs set attempts = max_attempts`;
  await startWork();
  await runTask("requeue_lost_refunds");
  await eventually(async () => (await ledger())?.refunds[0] === "succeeded");
  expect(shop.provider.callsTo("/refunds")).toHaveLength(1);
});

test("a commit that comes too late finds its charge taken: no order, and the charge is given back once", async () => {
  const customer = await shop.as("customer");
  const product = await makeProduct(shop.sql);
  const { promise: claimed, resolve: claim } = Promise.withResolvers<void>();
  shop.provider.answer = ({ path }) => ({
    status: 200,
    after: path === "/payments" ? claimed : Promise.resolve(),
  });
  const placing = customer.call("POST", "/orders", {
    body: { items: [{ product_id: product.id, quantity: 1 }] },
  });
  await eventually(() => shop.provider.calls.length === 1);
  await shop.sql`update payments set attempted_at = now() - interval '1 hour'`;
  expect(await reconcile(shop.sql, 10)).toHaveLength(1);
  claim();
  expectProblem(await placing, 409, "idempotency_in_progress");
  expect(await shop.sql`select from orders`).toHaveLength(0);
  expect(await shop.sql`select from order_items`).toHaveLength(0);
  await startWork();
  await eventually(async () => (await ledger())?.payments[0][0] === "refunded");
  expect(shop.provider.callsTo("/refunds")).toHaveLength(1);
});

test.each([
  ["before the answer", 0],
  ["while the answer is on its way", 1],
])(
  "a charge that is made after the provider was asked to give it back, %s, is given back",
  async (_when, nth) => {
    const customer = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    const charged = Promise.withResolvers<void>();
    const told = Promise.withResolvers<void>();
    // To the first refund the provider says that there is no such charge, which is true then.
    shop.provider.answer = ({ path }) =>
      path === "/payments"
        ? { status: 200, after: charged.promise }
        : shop.provider.callsTo("/refunds").length === 1
          ? { status: 404, after: nth === 1 ? told.promise : Promise.resolve() }
          : { status: 200 };
    await startWork();
    const placing = customer.call("POST", "/orders", {
      body: { items: [{ product_id: product.id, quantity: 1 }] },
    });
    await eventually(() => shop.provider.calls.length === 1);
    await shop.sql`update payments set attempted_at = now() - interval '1 hour'`;
    // The charge waits for the refund, and its budget is a second: less than the reconciler may take to look.
    await reconcile(shop.sql, 10);
    await eventually(() => shop.provider.callsTo("/refunds").length === 1);
    if (nth === 0) await eventually(async () => (await ledger())?.payments[0][0] === "failed");
    charged.resolve();
    expectProblem(await placing, 409, "idempotency_in_progress");
    told.resolve();
    await eventually(async () => (await ledger())?.payments[0][0] === "refunded", 10);
    expect(await shop.sql`select from orders`).toHaveLength(0);
    expect((await ledger())?.out_of_balance).toBeNull();
    const keys = shop.provider.callsTo("/refunds").map(({ key }) => key);
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(nth === 0 ? 2 : 1);
  },
);

test("a charge whose order is being committed is skipped, and is the order's", async () => {
  await abandoned();
  const [payment] = await shop.sql<
    [{ id: string; customer_id: string }]
  >`select id, customer_id from payments`;
  await shop.sql.begin(async (tx) => {
    const id = uuidv7();
    await tx`
      insert into orders (id, customer_id, total_cents, fulfillment)
      values (${id}, ${payment.customer_id}, 450, '{"type":"pickup"}')`;
    await tx`update payments set order_id = ${id}, status = 'succeeded' where id = ${payment.id}`;
    expect(await reconcile(shop.sql, 10)).toEqual([]);
  });
  expect(await reconcile(shop.sql, 10)).toEqual([]);
  expect(await ledger()).toEqual({ payments: [["succeeded", true]], refunds: null, out_of_balance: null });
});

test("an order without a charge, which must never be, would be seen", async () => {
  const customer = await shop.as("customer");
  await shop.sql`
    insert into orders (id, customer_id, total_cents, fulfillment)
    values (${uuidv7()}, ${customer.id}, 450, '{"type":"pickup"}')`;
  expect((await ledger())?.out_of_balance).toEqual(["order_without_charge"]);
});
