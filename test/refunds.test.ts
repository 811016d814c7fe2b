import { pino } from "pino";
import { v7 as uuidv7 } from "uuid";
import { afterEach, describe, expect, test } from "vitest";
import { startWorker, type Worker } from "../src/jobs.ts";
import { queueNotification } from "../src/notifications/queries.ts";
import { OrderEvent } from "../src/order-feed/schemas.ts";
import { makeProduct } from "./factories.ts";
import { eventually, expectProblem, testShop } from "./harness.ts";

const shop = testShop({ env: { NOTIFICATION_TIMEOUT_MS: "3000" } });

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

async function setUp(cents = 1000) {
  const [ann, barista, manager] = [
    await shop.as("customer"),
    await shop.as("barista"),
    await shop.as("manager"),
  ];
  const product = await makeProduct(shop.sql, { base_price_cents: cents });
  const order = async () => {
    const body = { items: [{ product_id: product.id, quantity: 1 }] };
    return (await ann.call("POST", "/orders", { body })).json().id as string;
  };
  const advance = (id: string, status: string) =>
    barista.call("PATCH", `/orders/${id}/status`, { body: { status } });
  return { ann, barista, manager, order, advance, product };
}

const books = async (id: string) => {
  const [row] = await shop.sql`
    select o.status, o.payment_status, p.status as payment,
      (select json_agg(json_build_array(r.amount_cents, r.status) order by r.id) from refunds r where r.payment_id = p.id)
        as refunds
    from orders o join payments p on p.order_id = o.id where o.id = ${id}`;
  return row;
};

const settled = (id: string) =>
  eventually(async () => (await books(id))?.payment_status !== "refund_pending");

describe("cancelling", () => {
  test("by the owner while it waits gives the money back", async () => {
    const { ann, order } = await setUp();
    const id = await order();
    const response = await ann.call("POST", `/orders/${id}/cancel`, { body: { reason: "late" } });
    expect(response.statusCode, response.body).toBe(200);
    expect(response.json()).toMatchObject({ id, status: "canceled", payment_status: "refund_pending" });
    expect(await books(id)).toEqual({
      status: "canceled",
      payment_status: "refund_pending",
      payment: "refund_pending",
      refunds: [[1000, "pending"]],
    });
    const [event] = await shop.sql`select data from events where type = 'order.canceled'`;
    expect(event!.data).toEqual({ ...response.json(), from: "waiting", to: "canceled", reason: "late" });
    expect(await shop.sql`select order_status from notifications`).toEqual([{ order_status: "canceled" }]);
    await startWork();
    await settled(id);
    expect(await books(id)).toEqual({
      status: "canceled",
      payment_status: "refunded",
      payment: "refunded",
      refunds: [[1000, "succeeded"]],
    });
    expect(shop.provider.callsTo("/refunds").map(({ body }) => body)).toEqual([
      { payment_id: shop.provider.callsTo("/payments")[0]!.key, value: 1000 },
    ]);
    const [refunded] = await shop.sql`select subject_id, data from events where type = 'payment.refunded'`;
    expect(refunded).toMatchObject({
      subject_id: id,
      data: { id, payment_status: "refunded", amount_cents: 1000 },
    });
    // The document describes all that is told.
    const described = Object.keys(OrderEvent.properties.data.properties);
    for (const { data } of [event!, refunded!])
      expect(described).toEqual(expect.arrayContaining(Object.keys(data)));
    expectProblem(await ann.call("POST", `/orders/${id}/cancel`), 409, "too_late");
  });

  test("an order of 0 calls nobody and is refunded", async () => {
    const { ann, order } = await setUp(0);
    const id = await order();
    expect((await ann.call("POST", `/orders/${id}/cancel`)).json()).toMatchObject({
      payment_status: "refunded",
    });
    expect(await books(id)).toEqual({
      status: "canceled",
      payment_status: "refunded",
      payment: "refunded",
      refunds: null,
    });
    expect(shop.provider.calls).toEqual([]);
  });

  test("is the owner's while it waits, a manager's with a reason until it is delivered, and nobody else's", async () => {
    const { ann, barista, manager, order, advance } = await setUp();
    const ben = await shop.as("customer");
    const id = await order();
    const cancel = (by: typeof ann, body?: object) => by.call("POST", `/orders/${id}/cancel`, { body });
    expectProblem(await shop.call("POST", `/orders/${id}/cancel`), 401, "unauthorized");
    expectProblem(await cancel(ben), 404, "not_found");
    expectProblem(await cancel(barista, { reason: "x" }), 403, "forbidden");
    expectProblem(await cancel(manager), 400, "validation_failed");
    for (const bad of [
      { reason: "" },
      { reason: " " },
      { reason: null },
      { why: "x" },
      { reason: "x".repeat(501) },
    ])
      expectProblem(await cancel(manager, bad), 400, "validation_failed");
    expectProblem(await ann.call("POST", `/orders/${uuidv7()}/cancel`), 404, "not_found");
    await advance(id, "preparation");
    expectProblem(await cancel(ann), 409, "too_late");
    expect((await books(id))?.refunds).toBeNull();
    expect((await cancel(manager, { reason: "spilt" })).json()).toMatchObject({ status: "canceled" });
    expect(await shop.sql`select cancel_reason from orders`).toEqual([{ cancel_reason: "spilt" }]);
    expectProblem(await cancel(manager, { reason: "again" }), 409, "too_late");

    const delivered = await order();
    for (const status of ["preparation", "ready", "delivered"]) await advance(delivered, status);
    expectProblem(
      await manager.call("POST", `/orders/${delivered}/cancel`, { body: { reason: "x" } }),
      409,
      "too_late",
    );
  });

  test("against a barista's tap exactly one wins, twenty times", async () => {
    const { ann, order, advance } = await setUp();
    for (let round = 0; round < 20; round++) {
      const id = await order();
      const race = [ann.call("POST", `/orders/${id}/cancel`), advance(id, "preparation")];
      const [canceled, advanced] = await Promise.all(round % 2 ? race : race.reverse());
      expect([canceled!.statusCode, advanced!.statusCode].filter((status) => status === 200)).toHaveLength(1);
      const row = await books(id);
      const events =
        await shop.sql`select type from events where subject_id = ${id} and type <> 'order.created'`;
      const notified = await shop.sql`select order_status from notifications where order_id = ${id}`;
      if (row!.status === "canceled") {
        expect(row!.refunds).toEqual([[1000, "pending"]]);
        expect(events).toEqual([{ type: "order.canceled" }]);
        expect(notified).toEqual([{ order_status: "canceled" }]);
      } else {
        expect(row).toEqual({
          status: "preparation",
          payment_status: "paid",
          payment: "succeeded",
          refunds: null,
        });
        expect(events).toEqual([{ type: "order.status_changed" }]);
        expect(notified).toEqual([{ order_status: "preparation" }]);
      }
    }
  });

  test("against deleting cancels once", async () => {
    const { ann, order } = await setUp();
    for (let round = 0; round < 10; round++) {
      const id = await order();
      const [canceled, deleted] = await Promise.all([
        ann.call("POST", `/orders/${id}/cancel`),
        ann.call("DELETE", `/users/me/orders/${id}`),
      ]);
      expect([200, 409]).toContain(canceled.statusCode);
      expect(deleted.statusCode).toBe(204);
      expect((await books(id))?.refunds).toEqual([[1000, "pending"]]);
    }
    await startWork();
    await eventually(
      async () => (await shop.sql`select from refunds where status = 'pending'`).length === 0,
      10,
    );
    expect(new Set(shop.provider.callsTo("/refunds").map(({ body }) => body.payment_id)).size).toBe(10);
    expect(shop.provider.callsTo("/refunds")).toHaveLength(10);
  });
});

describe("a manager's refund", () => {
  const refund = (manager: Awaited<ReturnType<typeof shop.as>>, id: string, body: object) =>
    manager.call("POST", `/admin/orders/${id}/refunds`, { body });

  test("of a part, and then of the rest", async () => {
    const { manager, order, product } = await setUp();
    const id = await order();
    // Long archived, and refundable all the same.
    await shop.sql`update products set archived_at = now() where id = ${product.id}`;
    await startWork();
    const part = await refund(manager, id, { amount_cents: 300, reason: "cold" });
    expect(part.statusCode, part.body).toBe(201);
    expect(part.json()).toEqual({
      id: expect.any(String),
      payment_id: shop.provider.calls[0]!.key,
      order_id: id,
      amount_cents: 300,
      status: "pending",
      reason: "cold",
      attempts: 0,
      response: null,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    await settled(id);
    expect(await books(id)).toEqual({
      status: "waiting",
      payment_status: "partially_refunded",
      payment: "succeeded",
      refunds: [[300, "succeeded"]],
    });
    expectProblem(
      await refund(manager, id, { amount_cents: 701, reason: "x" }),
      409,
      "refund_exceeds_payment",
    );
    expect((await refund(manager, id, { reason: "rest" })).json()).toMatchObject({ amount_cents: 700 });
    await settled(id);
    expect(await books(id)).toMatchObject({
      status: "waiting",
      payment_status: "refunded",
      payment: "refunded",
    });
    expectProblem(await refund(manager, id, { reason: "more" }), 409, "refund_exceeds_payment");
    const list = (await manager.call("GET", `/admin/orders/${id}/refunds`)).json();
    expect(list.items.map((row: Record<string, unknown>) => row.amount_cents)).toEqual([700, 300]);
    const [payment] = (await manager.call("GET", "/admin/payments?status=refunded")).json().items;
    expect(payment).toMatchObject({
      order_id: id,
      amount_cents: 1000,
      refunded_cents: 1000,
      status: "refunded",
    });
    expect((await manager.call("GET", "/admin/payments?status=pending")).json().items).toEqual([]);
  });

  test("ten at once never exceed the payment", async () => {
    const { manager, order } = await setUp();
    const id = await order();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => refund(manager, id, { amount_cents: 300, reason: "x" })),
    );
    expect(answers.filter(({ statusCode }) => statusCode === 201)).toHaveLength(3);
    for (const answer of answers)
      if (answer.statusCode !== 201) expectProblem(answer, 409, "refund_exceeds_payment");
    await startWork();
    await settled(id);
    expect(await books(id)).toMatchObject({ payment_status: "partially_refunded", payment: "succeeded" });
    const values = shop.provider.callsTo("/refunds").map(({ body }) => body.value);
    expect(values).toEqual([300, 300, 300]);
    expect(new Set(shop.provider.callsTo("/refunds").map(({ key }) => key)).size).toBe(3);
  });

  test("and then cancelling gives back only the rest", async () => {
    const { ann, manager, order } = await setUp();
    const id = await order();
    await refund(manager, id, { amount_cents: 400, reason: "cold" });
    await ann.call("POST", `/orders/${id}/cancel`);
    expect(await books(id)).toMatchObject({
      payment: "refund_pending",
      refunds: [
        [400, "pending"],
        [600, "pending"],
      ],
    });
    await startWork();
    await settled(id);
    expect(await books(id)).toMatchObject({ payment: "refunded", payment_status: "refunded" });
  });

  test("without a refund endpoint is due, and once there is one it is tried again", async () => {
    const { manager, order } = await setUp();
    const id = await order();
    const { id: refundId } = (await refund(manager, id, { reason: "x" })).json();
    await startWork(false);
    await settled(id);
    expect(await books(id)).toMatchObject({ payment_status: "refund_due", payment: "refund_due" });
    expect(await shop.sql`select problem from payments_out_of_balance`).toEqual([{ problem: "refund_due" }]);
    await stopWork();
    const retry = await manager.call("POST", `/admin/orders/${id}/refunds/${refundId}/retry`);
    expect(retry.statusCode).toBe(202);
    expect(retry.json()).toMatchObject({ id: refundId, status: "pending" });
    expect((await manager.call("POST", `/admin/orders/${id}/refunds/${refundId}/retry`)).statusCode).toBe(
      202,
    );
    await startWork();
    await settled(id);
    expect(await books(id)).toMatchObject({ payment_status: "refunded", refunds: [[1000, "succeeded"]] });
    expect(shop.provider.callsTo("/refunds").map(({ key }) => key)).toEqual([refundId]);
    // Through is through.
    expect((await manager.call("POST", `/admin/orders/${id}/refunds/${refundId}/retry`)).json().status).toBe(
      "succeeded",
    );
  });

  test("that failed never looks refunded, leaves its share to others, and can be tried again", async () => {
    const { manager, order } = await setUp();
    const id = await order();
    const { id: refundId } = (await refund(manager, id, { reason: "x" })).json();
    shop.provider.answer = () => ({ status: 404 });
    await startWork();
    await settled(id);
    expect(await books(id)).toMatchObject({
      payment_status: "paid",
      payment: "succeeded",
      refunds: [[1000, "failed"]],
    });
    await stopWork();
    await refund(manager, id, { amount_cents: 1, reason: "y" });
    const retry = () => manager.call("POST", `/admin/orders/${id}/refunds/${refundId}/retry`);
    expectProblem(await retry(), 409, "refund_exceeds_payment");
    await shop.sql`update refunds set status = 'failed'`;
    expect((await retry()).statusCode).toBe(202);
    shop.provider.reset();
    await startWork();
    await settled(id);
    expect(await books(id)).toMatchObject({ payment_status: "refunded", payment: "refunded" });
  });

  test("is a manager's, of an order that is there, for a reason", async () => {
    const { ann, barista, manager, order } = await setUp();
    const id = await order();
    const path = `/admin/orders/${id}/refunds`;
    for (const who of [ann, barista]) {
      expectProblem(await who.call("POST", path, { body: { reason: "x" } }), 403, "forbidden");
      expectProblem(await who.call("GET", path), 403, "forbidden");
      expectProblem(await who.call("POST", `${path}/${uuidv7()}/retry`), 403, "forbidden");
      expectProblem(await who.call("GET", "/admin/payments"), 403, "forbidden");
    }
    expectProblem(await shop.call("POST", path, { body: { reason: "x" } }), 401, "unauthorized");
    for (const bad of [
      {},
      { reason: "" },
      { reason: " " },
      { reason: "x", amount_cents: 0 },
      { reason: "x", amount_cents: -1 },
      { reason: "x", amount_cents: 1.5 },
      { reason: "x", amount_cents: "1" },
      { reason: "x", amount_cents: null },
      { reason: "x", status: "succeeded" },
    ])
      expectProblem(await manager.call("POST", path, { body: bad }), 400, "validation_failed");
    const nowhere = `/admin/orders/${uuidv7()}/refunds`;
    expectProblem(await manager.call("POST", nowhere, { body: { reason: "x" } }), 404, "not_found");
    expectProblem(await manager.call("GET", nowhere), 404, "not_found");
    expectProblem(await manager.call("POST", `${path}/${uuidv7()}/retry`), 404, "not_found");
    const { id: refundId } = (await manager.call("POST", path, { body: { reason: "x" } })).json();
    expectProblem(
      await manager.call("POST", `/admin/orders/${await order()}/refunds/${refundId}/retry`),
      404,
      "not_found",
    );
    expect((await manager.call("GET", path)).json().items).toHaveLength(1);
    expect(await shop.sql`select from refunds`).toHaveLength(1);
  });
});

test("a notification provider that hangs delays no refund", async () => {
  const { manager, order } = await setUp();
  const id = await order();
  shop.provider.answer = ({ path }) => (path === "/notifications" ? "silence" : { status: 200 });
  for (let n = 0; n < 30; n++) await queueNotification(shop.sql, id, "preparation");
  await startWork();
  await eventually(() => shop.provider.callsTo("/notifications").length === 10);
  await manager.call("POST", `/admin/orders/${id}/refunds`, { body: { reason: "cold" } });
  await settled(id);
  expect(await books(id)).toMatchObject({ refunds: [[1000, "succeeded"]] });
  expect(await shop.sql`select from notifications where status <> 'pending'`).toEqual([]);
});

describe("a customer's history", () => {
  const ids = (response: { json: () => { items: { id: string }[] } }) =>
    response.json().items.map(({ id }) => id);

  test("pages newest first, without what was put away; no row is deleted", async () => {
    const { ann, order, advance } = await setUp();
    const placed: string[] = [];
    for (let n = 0; n < 5; n++) placed.unshift(await order());
    const first = await ann.call("GET", "/users/me/orders?limit=3");
    const second = await ann.call(
      "GET",
      `/users/${ann.id}/orders?limit=3&cursor=${first.json().next_cursor}`,
    );
    expect([...ids(first), ...ids(second)]).toEqual(placed);
    expect(second.json().next_cursor).toBeNull();

    for (const status of ["preparation", "ready"]) await advance(placed[0]!, status);
    expectProblem(await ann.call("DELETE", `/users/me/orders/${placed[0]}`), 409, "order_in_progress");
    await advance(placed[0]!, "delivered");
    expect((await ann.call("DELETE", `/users/me/orders/${placed[0]}`)).statusCode).toBe(204);
    // Waiting: canceled and refunded, and still in the list.
    expect((await ann.call("DELETE", `/users/me/orders/${placed[1]}`)).statusCode).toBe(204);
    expect(await books(placed[1]!)).toMatchObject({ status: "canceled", refunds: [[1000, "pending"]] });
    expect(ids(await ann.call("GET", "/users/me/orders"))).toEqual(placed.slice(1));
    expect((await ann.call("DELETE", "/users/me/orders")).statusCode).toBe(204);
    expect(ids(await ann.call("GET", "/users/me/orders"))).toEqual(placed.slice(2));
    expect((await ann.call("GET", `/users/me/orders/${placed[0]}`)).statusCode).toBe(200);
    expect(await shop.sql`select from orders`).toHaveLength(5);
    expectProblem(await ann.call("GET", "/users/me/orders?cursor=x"), 400, "invalid_cursor");
  });

  test("is its owner's and the managers' alone", async () => {
    const { ann, barista, manager, order } = await setUp();
    const ben = await shop.as("customer");
    const id = await order();
    for (const other of [ben, barista]) {
      expectProblem(await other.call("GET", `/users/${ann.id}/orders`), 404, "not_found");
      expectProblem(await other.call("DELETE", `/users/${ann.id}/orders`), 404, "not_found");
      for (const method of ["GET", "DELETE"] as const) {
        expectProblem(await other.call(method, `/users/${ann.id}/orders/${id}`), 404, "not_found");
        expectProblem(await other.call(method, `/users/me/orders/${id}`), 404, "not_found");
      }
    }
    expectProblem(await ann.call("DELETE", `/users/me/orders/${uuidv7()}`), 404, "not_found");
    expectProblem(await ann.call("GET", "/users/me/orders/17"), 400, "validation_failed");
    for (const userId of [ann.id, ann.id.toUpperCase()])
      expect((await manager.call("GET", `/users/${userId}/orders/${id}`)).json().id).toBe(id);
    expect(ids(await manager.call("GET", `/users/${ann.id}/orders`))).toEqual([id]);
    expect((await books(id))?.status).toBe("waiting");
  });
});
