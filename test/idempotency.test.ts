import { describe, expect, onTestFinished, test } from "vitest";
import { makeProduct } from "./factories.ts";
import { eventually, expectProblem, openShop, testShop } from "./harness.ts";

const shop = testShop();

const setUp = async () => {
  const customer = await shop.as("customer");
  const product = await makeProduct(shop.sql);
  const place = (key: string, body: object = { items: [{ product_id: product.id, quantity: 1 }] }) =>
    customer.call("POST", "/orders", { body, headers: { "idempotency-key": key } });
  return { customer, product, place };
};

const count = async (table: string) =>
  (await shop.sql<[{ count: number }]>`select count(*)::int as count from ${shop.sql(table)}`)[0].count;

describe("the same key again", () => {
  test("with the same request gives the original order, as often as asked, in parallel too", async () => {
    const { place } = await setUp();
    const first = await place("k");
    expect(first.statusCode).toBe(201);
    expect(first.headers["idempotent-replayed"]).toBeUndefined();
    const replays = await Promise.all(Array.from({ length: 10 }, () => place("k")));
    for (const replay of replays) {
      expect(replay.statusCode).toBe(200);
      expect(replay.headers["idempotent-replayed"]).toBe("true");
      expect(replay.json()).toEqual(first.json());
    }
    expect(shop.provider.calls).toHaveLength(1);
    expect(await count("orders")).toBe(1);
  });

  test("is the same request however its keys are ordered", async () => {
    const { place, product } = await setUp();
    await place("k", { notes: "n", items: [{ quantity: 1, product_id: product.id }] });
    const again = await place("k", { items: [{ product_id: product.id, quantity: 1 }], notes: "n" });
    expect(again.statusCode).toBe(200);
  });

  test("with another request: idempotency_key_reused, and the order stays", async () => {
    const { place, product } = await setUp();
    await place("k");
    const other = { items: [{ product_id: product.id, quantity: 2 }] };
    expectProblem(await place("k", other), 422, "idempotency_key_reused");
    expect(await count("orders")).toBe(1);
    expect(shop.provider.calls).toHaveLength(1);
  });

  test("replays although the product is archived, sold out and its schedule past", async () => {
    const { place, product } = await setUp();
    const soon = new Date(Date.now() + 300).toISOString();
    const body = {
      items: [{ product_id: product.id, quantity: 1 }],
      fulfillment: { type: "pickup", scheduled_at: soon },
    };
    expect((await place("k", body)).statusCode).toBe(201);
    await shop.sql`update products set archived_at = now(), sold_out_until = 'infinity'`;
    await expect.poll(() => Date.now() > Date.parse(soon)).toBe(true);
    expect((await place("k", body)).statusCode).toBe(200);
  });

  test("by another user is another key", async () => {
    const { place, product } = await setUp();
    const other = await shop.as("customer");
    const first = await place("k");
    const second = await other.call("POST", "/orders", {
      body: { items: [{ product_id: product.id, quantity: 1 }] },
      headers: { "idempotency-key": "k" },
    });
    expect(second.statusCode).toBe(201);
    expect(second.json().id).not.toBe(first.json().id);
    expect(await count("orders")).toBe(2);
  });

  test("after 24 hours is a new key, for another request too", async () => {
    const { place, product } = await setUp();
    const first = await place("k");
    const makeOlder = (by: string) =>
      shop.sql`update payments set attempted_at = attempted_at - ${by}::interval`;
    await makeOlder("23 hours 59 minutes");
    expect((await place("k")).json()).toEqual(first.json());
    await makeOlder("1 minute");
    const other = { items: [{ product_id: product.id, quantity: 2 }] };
    const second = await place("k", other);
    expect(second.statusCode).toBe(201);
    expect(second.json().id).not.toBe(first.json().id);
    expect((await place("k", other)).json()).toEqual(second.json());
    expectProblem(await place("k"), 422, "idempotency_key_reused");
    expect(await count("orders")).toBe(2);
    expect(shop.provider.calls).toHaveLength(2);
  });

  test("replays although the order was canceled and its money given back", async () => {
    const { customer, place } = await setUp();
    const { id } = (await place("k")).json();
    await customer.call("POST", `/orders/${id}/cancel`, { body: {} });
    await shop.sql`update payments set status = 'refunded'`;
    const replay = await place("k");
    expect(replay.statusCode).toBe(200);
    expect(replay.json()).toMatchObject({ id, status: "canceled" });
    expect(await count("orders")).toBe(1);
    expect(shop.provider.calls).toHaveLength(1);
  });

  test("replays in parallel, also where there is no place to order", async () => {
    const own = await openShop({ env: { CHECKOUT_CONCURRENCY: "1", PAYMENT_TIMEOUT_MS: "5000" } });
    onTestFinished(own.close);
    const customer = await own.as("customer");
    const product = await makeProduct(own.sql);
    const place = (key: string, quantity = 1) =>
      customer.call("POST", "/orders", {
        body: { items: [{ product_id: product.id, quantity }] },
        headers: { "idempotency-key": key },
      });
    const first = await place("done");
    const replays = await Promise.all(Array.from({ length: 50 }, () => place("done")));
    for (const replay of replays) {
      expect(replay.statusCode, replay.body).toBe(200);
      expect(replay.json()).toEqual(first.json());
    }

    const { promise, resolve } = Promise.withResolvers<void>();
    own.provider.answer = () => ({ status: 200, after: promise });
    const working = place("working");
    await expect.poll(() => own.provider.calls.length).toBe(2);
    const waiting = place("waiting");
    const replay = await place("done");
    expect(replay.statusCode, replay.body).toBe(200);
    expect(replay.headers["idempotent-replayed"]).toBe("true");
    expectProblem(await place("done", 2), 422, "idempotency_key_reused");
    expectProblem(await place("working"), 409, "idempotency_in_progress");
    expectProblem(await place("working", 2), 422, "idempotency_key_reused");
    expectProblem(await place("new"), 503, "checkout_busy");
    await own.sql`update users set deleted_at = now()`;
    expectProblem(await place("done"), 401, "unauthorized");
    await own.sql`update users set deleted_at = null`;
    resolve();
    expect((await working).statusCode).toBe(201);
    expect([201, 503]).toContain((await waiting).statusCode);
    expect(own.provider.calls.length).toBe((await own.sql`select from orders`).count);
  });

  test("replays an order of nothing to pay", async () => {
    const { place } = await setUp();
    await shop.sql`update products set base_price_cents = 0`;
    const first = await place("k");
    expect(first.statusCode).toBe(201);
    const replay = await place("k");
    expect(replay.statusCode).toBe(200);
    expect(replay.json()).toEqual(first.json());
    expect(await count("payments")).toBe(1);
  });

  test("is kept only as a hash", async () => {
    const { place } = await setUp();
    await place("my-secret-key");
    const rows = await shop.sql`select p::text as payment from payments p`;
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain("my-secret-key");
    expect(JSON.stringify(rows)).not.toContain(Buffer.from("my-secret-key").toString("hex"));
  });

  test("a twin in flight gets idempotency_in_progress at once, and one order is made", async () => {
    const { place } = await setUp();
    const { promise, resolve } = Promise.withResolvers<void>();
    shop.provider.answer = () => ({ status: 200, body: {}, after: promise });
    const first = place("k");
    await expect.poll(() => shop.provider.calls.length).toBe(1);
    const twins = await Promise.all([place("k"), place("k")]);
    for (const twin of twins) {
      expectProblem(twin, 409, "idempotency_in_progress");
      expect(twin.headers["retry-after"]).toBe("1");
    }
    resolve();
    expect((await first).statusCode).toBe(201);
    expect((await place("k")).statusCode).toBe(200);
    expect(shop.provider.calls).toHaveLength(1);
    expect(await count("orders")).toBe(1);
  });

  test("sent twenty times at once makes one order and one charge", async () => {
    const { place } = await setUp();
    const responses = await Promise.all(Array.from({ length: 20 }, () => place("k")));
    const statuses = responses.map((response) => response.statusCode);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    for (const status of statuses) expect([200, 201, 409]).toContain(status);
    expect(await count("orders")).toBe(1);
    expect(await count("payments")).toBe(1);
    expect(shop.provider.calls).toHaveLength(1);
  });
});

describe("a key whose placement failed", () => {
  test("a refused placement frees it, for another request too", async () => {
    const { place, product } = await setUp();
    const body = { items: [{ product_id: product.id, quantity: 1 }], total_cents: 1 };
    expectProblem(await place("k", body), 409, "total_mismatch");
    expect((await place("k")).statusCode).toBe(201);
  });

  test("a declined placement frees it, for another request too", async () => {
    const { place, product } = await setUp();
    shop.provider.answer = () => ({ status: 402, body: { success: false, message: "no" } });
    expectProblem(await place("k"), 402, "payment_failed");
    shop.provider.reset();
    expect((await place("k", { items: [{ product_id: product.id, quantity: 2 }] })).statusCode).toBe(201);
    const payments = await shop.sql`select status, amount_cents from payments order by id`;
    expect(payments).toEqual([
      { status: "failed", amount_cents: 300 },
      { status: "succeeded", amount_cents: 600 },
    ]);
  });

  test("an unknown charge holds it for the same request, which asks again under the same payment id", async () => {
    const { place, product } = await setUp();
    shop.provider.answer = () => "silence";
    expectProblem(await place("k"), 402, "payment_unconfirmed");
    const other = { items: [{ product_id: product.id, quantity: 2 }] };
    expectProblem(await place("k", other), 422, "idempotency_key_reused");
    const id = shop.provider.calls[0]!.key;
    shop.provider.reset();
    expect((await place("k")).statusCode).toBe(201);
    expect(shop.provider.calls.map(({ key }) => key)).toEqual([id]);
    const payments = await shop.sql`select id, status from payments`;
    expect(payments).toEqual([{ id, status: "succeeded" }]);
  });

  test("a charge that a crash left pending is asked for again under the same payment id", async () => {
    const { place } = await setUp();
    shop.provider.answer = () => "silence";
    await place("k");
    await shop.sql`update payments set status = 'pending'`;
    const id = shop.provider.calls[0]!.key;
    shop.provider.reset();
    expect((await place("k")).statusCode).toBe(201);
    expect(shop.provider.calls.map(({ key }) => key)).toEqual([id]);
  });

  test("while its charge is being refunded, and when the price has changed since, it must wait", async () => {
    const { place, product } = await setUp();
    shop.provider.answer = () => "silence";
    await place("k");
    shop.provider.reset();
    await shop.sql`update products set base_price_cents = 500 where id = ${product.id}`;
    expectProblem(await place("k"), 409, "idempotency_in_progress");
    await shop.sql`update products set base_price_cents = 300 where id = ${product.id}`;
    await shop.sql`update payments set status = 'refund_pending'`;
    expectProblem(await place("k"), 409, "idempotency_in_progress");
    expect(shop.provider.calls).toEqual([]);
    expect(await count("orders")).toBe(0);
    await shop.sql`update payments set status = 'refunded'`;
    expect((await place("k")).statusCode).toBe(201);
  });

  test("a key that made an order is not held by another charge, whichever is the newer one", async () => {
    const { place } = await setUp();
    shop.provider.answer = () => ({ status: 402, body: { success: false } });
    await place("k");
    shop.provider.reset();
    const made = await place("k");
    expect(made.statusCode).toBe(201);
    await shop.sql`update payments set status = 'unknown' where status = 'failed'`;
    expect((await place("k")).json()).toEqual(made.json());
    await shop.sql`update payments set id = ${"ffffffff-ffff-7fff-bfff-ffffffffffff"} where status = 'unknown'`;
    expect((await place("k")).json()).toEqual(made.json());
    expect(shop.provider.calls).toHaveLength(1);
  });

  // Retried: on a busy machine the first charge's budget of one second may end before the second has answered.
  test("a first try that fails late doesn't make the second one's charge forgotten", {
    retry: 2,
  }, async () => {
    const { place } = await setUp();
    const { promise: later, resolve: goOn } = Promise.withResolvers<void>();
    // The first is answered late, and with an error; what the second one charged nobody heard.
    shop.provider.answer = (_call, nth) => (nth === 2 ? "reset" : { status: 500, after: later });
    const first = place("k");
    await expect.poll(() => shop.provider.calls.length).toBe(1);
    // Its connection is cut, and with it the key's lock.
    await shop.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'ristretto checkout'`;
    expectProblem(await first, 503, "unavailable");
    // Others of the pool were cut too, and it notices them one by one.
    const second = await eventually(async () => {
      const response = await place("k");
      return response.statusCode === 503 ? undefined : response;
    });
    expectProblem(second, 402, "payment_unconfirmed");
    goOn();
    await expect
      .poll(async () => (await shop.sql`select response from payments`)[0]!.response.status, {
        timeout: 3_000,
      })
      .toBe(500);
    expect(new Set(shop.provider.calls.map(({ key }) => key)).size).toBe(1);
    expect(await shop.sql`select status, attempts from payments`).toEqual([
      { status: "unknown", attempts: 2 },
    ]);
  });

  test("a second try that is refused doesn't make the first one's charge forgotten", async () => {
    const { place } = await setUp();
    shop.provider.answer = () => "silence";
    await place("k");
    shop.provider.answer = () => ({ status: 402, body: { success: false } });
    expectProblem(await place("k"), 402, "payment_failed");
    const [payment] = await shop.sql`select status from payments`;
    expect(payment).toEqual({ status: "unknown" });
  });
});
