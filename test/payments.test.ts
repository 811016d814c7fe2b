import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { openPaymentClient } from "../src/payments/client.ts";
import { createCircuitBreaker } from "../src/provider-client/circuit-breaker.ts";
import { redactBody } from "../src/provider-client/redact.ts";
import { makeProduct } from "./factories.ts";
import { eventually, expectProblem, openShop, testShop } from "./harness.ts";

const shop = testShop({ env: { PAYMENT_TIMEOUT_MS: "700" } });

const order = async () => {
  const customer = await shop.as("customer");
  const product = await makeProduct(shop.sql);
  return customer.call("POST", "/orders", { body: { items: [{ product_id: product.id, quantity: 1 }] } });
};

/** What is left after a failed charge: its row in the ledger, and nothing else. */
async function expectOnlyPayment(status: string, response: unknown = expect.anything()) {
  expect(await shop.sql`select status, order_id, response from payments`).toEqual([
    { status, order_id: null, response },
  ]);
  expect(await shop.sql`select * from orders`).toHaveLength(0);
  expect(await shop.sql`select * from events where type like 'order.%'`).toHaveLength(0);
}

describe("a charge", () => {
  test.each([
    ["a 402", { status: 402, body: { message: "Card declined" } }, { status: 402, message: "Card declined" }],
    ["a 400 without words", { status: 400, raw: "" }, { status: 400, message: "Bad Request" }],
    ["a 200 that says no", { status: 200, body: { success: false } }, { status: 200, message: "OK" }],
    [
      "a no after a byte order mark",
      { status: 200, raw: '\ufeff{"success":false}' },
      { status: 200, message: "OK" },
    ],
    [
      "a no that nests deep",
      { status: 200, raw: `{"a":${"[".repeat(5_000)}${"]".repeat(5_000)},"success":false}` },
      { status: 200, message: "OK" },
    ],
    [
      "a long no",
      { status: 200, raw: `{"a":"${"x".repeat(200_000)}","success":false}` },
      { status: 200, message: "OK" },
    ],
    [
      "a 402 of 2 MiB",
      { status: 402, raw: "x".repeat(2 ** 21) },
      { status: 402, message: "Payment Required" },
    ],
    ["a redirect", { status: 302, body: {} }, { status: 302, message: "Found" }],
  ])("%s is a decline: payment_failed after one try", async (_what, answer, provider) => {
    shop.provider.answer = () => answer;
    const problem = expectProblem(await order(), 402, "payment_failed");
    expect(problem.detail).toMatch(/^Payment failed/);
    expect(problem.provider).toEqual(provider);
    expect(shop.provider.calls).toHaveLength(1);
    await expectOnlyPayment("failed", expect.objectContaining({ status: answer.status }));
  });

  test.each([
    ["JSON without a word on success", { status: 201, body: { id: 7 } }],
    ["success: true", { status: 200, body: { success: true } }],
    ["an empty 204", { status: 204, raw: "" }],
    ["text", { status: 200, raw: "thanks" }],
    ["null", { status: 200, raw: "null" }],
  ])("a 2xx with %s succeeds", async (_what, answer) => {
    shop.provider.answer = () => answer;
    expect((await order()).statusCode).toBe(201);
    expect(shop.provider.calls).toHaveLength(1);
  });

  test("a 5xx is tried again with the same payment id, three times at most", async () => {
    shop.provider.answer = (_call, nth) => (nth < 3 ? { status: 503 } : { status: 200 });
    expect((await order()).statusCode).toBe(201);
    expect(new Set(shop.provider.calls.map(({ key }) => key)).size).toBe(1);
    expect(shop.provider.calls).toHaveLength(3);

    shop.provider.reset();
    await shop.sql`truncate payments, orders, events cascade`;
    shop.provider.answer = () => ({ status: 500, body: { message: "boom" } });
    const problem = expectProblem(await order(), 402, "payment_failed");
    expect(problem.provider).toEqual({ status: 500, message: "boom" });
    expect(shop.provider.calls).toHaveLength(3);
    await expectOnlyPayment("failed");
  });

  test("no response within the budget: payment_unconfirmed, tried once", async () => {
    shop.provider.answer = () => "silence";
    const problem = expectProblem(await order(), 402, "payment_unconfirmed");
    expect(problem.detail).toMatch(/^Payment failed/);
    expect(problem.provider).toEqual({ status: null, message: "The payment provider did not respond" });
    expect(shop.provider.calls).toHaveLength(1);
    await expectOnlyPayment("unknown", { error: "no response within the budget" });
  });

  test("a 2xx that is too long to be read: payment_unconfirmed, for it may say no at its end", async () => {
    shop.provider.answer = () => ({ status: 200, raw: `{"a":"${"x".repeat(2 ** 21)}","success":false}` });
    expectProblem(await order(), 402, "payment_unconfirmed");
    expect(shop.provider.calls).toHaveLength(1);
    await expectOnlyPayment("unknown", { error: "the response was too long" });
  });

  test("a connection cut after the request: payment_unconfirmed, tried once", async () => {
    shop.provider.answer = () => "reset";
    expectProblem(await order(), 402, "payment_unconfirmed");
    expect(shop.provider.calls).toHaveLength(1);
    await expectOnlyPayment("unknown", { error: expect.any(String) });
  });

  test("silence after a 5xx is unconfirmed, for the second try may have charged", async () => {
    shop.provider.answer = (_call, nth) => (nth === 1 ? { status: 500 } : "silence");
    expectProblem(await order(), 402, "payment_unconfirmed");
    expect(shop.provider.calls).toHaveLength(2);
    await expectOnlyPayment("unknown");
  });

  test("nobody listening: payment_failed", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const client = openPaymentClient(`http://127.0.0.1:${port}/payments`, 2_000);
    expect(await client.charge("id", 100)).toEqual({
      outcome: "failed",
      declined: false,
      response: { error: "ECONNREFUSED" },
      provider: { status: null, message: "The payment provider could not be reached" },
    });
    await client.close();
  });

  test("the answer is kept whole but for its secrets, at any depth", async () => {
    const body = {
      success: true,
      Authorization: "Bearer abc",
      card: { "card-number": "4242", cvv: 123, holder: "Ann", number: "4242", last4: "4242" },
      payment_card: { details: [{ number: 4242, pan: "4242", raw: "4242 4242 4242 4242" }] },
      card_not_present: true,
      number: 7,
      pwd: "hunter2",
      list: [{ access_token: "t0ps3cret", clientSecret: { deep: 1 } }],
      message: "refused, token=t0ps3cret",
      text: "a\u0000b\ud800",
      "a\u0000b\ud800": 1,
    };
    shop.provider.answer = () => ({ status: 200, body });
    expect((await order()).statusCode).toBe(201);
    const [payment] = await shop.sql`select response from payments`;
    expect(payment!.response.body).toEqual({
      success: true,
      Authorization: "[redacted]",
      card: {
        "card-number": "[redacted]",
        cvv: "[redacted]",
        holder: "Ann",
        number: "[redacted]",
        last4: "4242",
      },
      payment_card: { details: [{ number: "[redacted]", pan: "[redacted]", raw: "[redacted]" }] },
      card_not_present: true,
      number: 7,
      pwd: "[redacted]",
      list: [{ access_token: "[redacted]", clientSecret: "[redacted]" }],
      message: "refused, token=[redacted]",
      text: "ab\ufffd",
      "ab\ufffd": 1,
    });
  });

  test("a customer reads neither card numbers nor secrets nor more than a line of what the provider said", async () => {
    shop.provider.answer = () => ({
      status: 402,
      body: { message: `Card 4242 4242 4242 4242, token=t0ps3cret ${"x".repeat(500)}` },
    });
    const { provider, detail } = expectProblem(await order(), 402, "payment_failed");
    expect(provider.message + detail).not.toMatch(/4242|t0ps3cret/);
    expect(provider.message.length).toBeLessThanOrEqual(200);
  });
});

describe("a charge whose refund begins while its order is inserted", () => {
  test("has no order, is answered at once, and is known to be charged", async () => {
    const own = await openShop({ env: { PAYMENT_TIMEOUT_MS: "5000" } });
    onTestFinished(own.close);
    const { promise, resolve } = Promise.withResolvers<void>();
    own.provider.answer = () => ({ status: 200, after: promise });
    const customer = await own.as("customer");
    const product = await makeProduct(own.sql);
    const body = { items: [{ product_id: product.id, quantity: 1 }] };
    const placing = customer.call("POST", "/orders", { body });
    await expect.poll(() => own.provider.calls.length).toBe(1);
    // As the reconciler does it; the order's transaction waits for this one.
    await own.sql.begin(async (tx) => {
      await tx`update payments set status = 'refund_pending'`;
      resolve();
      await eventually(async () => {
        const waiting = await own.sql`
          select from pg_stat_activity
          where datname = current_database() and application_name = 'ristretto checkout' and wait_event_type = 'Lock'`;
        return waiting.count === 1;
      });
    });
    const committed = performance.now();
    expectProblem(await placing, 409, "idempotency_in_progress");
    expect(performance.now() - committed).toBeLessThan(3_000);
    expect(await own.sql`select status, order_id, charged_at is not null as charged from payments`).toEqual([
      { status: "refund_pending", order_id: null, charged: true },
    ]);
    for (const table of ["orders", "order_items"])
      expect(await own.sql`select from ${own.sql(table)}`, table).toHaveLength(0);
    expect(await own.sql`select from events where type like 'order.%'`).toHaveLength(0);
  });
});

describe("redaction of what is no JSON", () => {
  test("takes the values of secret words out of text", () => {
    expect(redactBody("token=abc&user=7; password: hunter2, Authorization: Bearer xyz")).toBe(
      "token=[redacted]&user=7; password: [redacted], Authorization: Bearer [redacted]",
    );
  });
  test("takes a card's number and code out of text", () => {
    expect(redactBody("Card number 4111 1111 1111 1111, cvv2 123; card not accepted: 3 tries")).toBe(
      "Card number [redacted], cvv2 [redacted]; card not accepted: 3 tries",
    );
  });
});

describe("the breaker", () => {
  const down = (breaker: ReturnType<typeof createCircuitBreaker>, times: number) => {
    for (let n = 0; n < times; n++) breaker.acquire().failure();
  };

  test("opens after ten failures in a row, lets one try after ten seconds, and closes when that is answered", () => {
    let now = 0;
    const breaker = createCircuitBreaker(() => now);
    down(breaker, 9);
    breaker.acquire().success();
    down(breaker, 9);
    expect(breaker.state()).toBe("closed");
    down(breaker, 1);
    expect(breaker.state()).toBe("open");
    expect(() => breaker.acquire()).toThrow("unavailable");
    now += 10_000;
    expect(breaker.state()).toBe("half-open");
    const probe = breaker.acquire();
    expect(() => breaker.acquire()).toThrow("unavailable");
    probe.failure();
    expect(breaker.state()).toBe("open");
    now += 10_000;
    breaker.acquire().release();
    breaker.acquire().success();
    expect(breaker.state()).toBe("closed");
    down(breaker, 9);
    expect(breaker.state()).toBe("closed");
  });

  test("what was asked before it opened neither keeps it open for longer nor closes it", () => {
    let now = 0;
    const breaker = createCircuitBreaker(() => now);
    const [late, later] = [breaker.acquire(), breaker.acquire()];
    down(breaker, 10);
    now += 9_000;
    late.failure();
    later.success();
    expect(breaker.state()).toBe("open");
    now += 1_000;
    expect(breaker.state()).toBe("half-open");
  });

  test("stays closed when the ten failures took longer than 30 seconds", () => {
    let now = 0;
    const breaker = createCircuitBreaker(() => now);
    for (let n = 0; n < 20; n++) {
      breaker.acquire().failure();
      now += 4_000;
    }
    expect(breaker.state()).toBe("closed");
  });

  test("a shop answers payment_provider_unavailable at once, without a row and without a call", async () => {
    const own = await openShop();
    try {
      own.provider.answer = () => ({ status: 500 });
      const customer = await own.as("customer");
      const product = await makeProduct(own.sql);
      const body = { items: [{ product_id: product.id, quantity: 1 }] };
      await Promise.all(Array.from({ length: 10 }, () => customer.call("POST", "/orders", { body })));
      own.provider.reset();
      await own.sql`truncate payments cascade`;
      const response = await customer.call("POST", "/orders", { body });
      expectProblem(response, 503, "payment_provider_unavailable");
      expect(Number(response.headers["retry-after"])).toBeGreaterThan(0);
      expect(own.provider.calls).toEqual([]);
      expect(await own.sql`select * from payments`).toHaveLength(0);
    } finally {
      await own.close();
    }
  });

  test("declines never open it", async () => {
    shop.provider.answer = () => ({ status: 402 });
    for (let n = 0; n < 12; n++) expectProblem(await order(), 402, "payment_failed");
    expect(shop.checkout.breaker.state()).toBe("closed");
  });
});

describe("too many at once", () => {
  test("as many again wait for a second; who comes on top is told at once, who waited in vain after it", async () => {
    const own = await openShop({ env: { CHECKOUT_CONCURRENCY: "2", PAYMENT_TIMEOUT_MS: "5000" } });
    try {
      const { promise, resolve } = Promise.withResolvers<void>();
      own.provider.answer = () => ({ status: 200, after: promise });
      const customer = await own.as("customer");
      const product = await makeProduct(own.sql);
      const body = { items: [{ product_id: product.id, quantity: 1 }] };
      const started = performance.now();
      const place = async () => {
        const response = await customer.call("POST", "/orders", { body });
        return { response, after: performance.now() - started };
      };
      const working = [place(), place()];
      await expect.poll(() => own.provider.calls.length).toBe(2);
      const waiting = [place(), place()];
      const onTop = await place();
      expectProblem(onTop.response, 503, "checkout_busy");
      expect(Number(onTop.response.headers["retry-after"])).toBeGreaterThan(0);
      // The menu and everything else have connections of their own.
      expect((await own.call("GET", "/menu")).statusCode).toBe(200);
      for (const { response, after } of await Promise.all(waiting)) {
        expectProblem(response, 503, "checkout_busy");
        expect(after).toBeGreaterThan(900);
      }
      const next = place();
      resolve();
      for (const { response } of await Promise.all([...working, next])) expect(response.statusCode).toBe(201);
      expect(await own.sql`select * from orders`).toHaveLength(3);
    } finally {
      await own.close();
    }
  });
});
