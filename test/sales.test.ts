// What managers read of the shop as a whole: sales, and what happened.
import { v7 as uuidv7 } from "uuid";
import { describe, expect, test } from "vitest";
import { makeProduct } from "./factories.ts";
import { eventually, expectProblem, testShop, testWorker } from "./harness.ts";

const shop = testShop();
testWorker(shop);

async function setUp() {
  const [ann, barista, manager] = [
    await shop.as("customer"),
    await shop.as("barista"),
    await shop.as("manager"),
  ];
  const product = await makeProduct(shop.sql, { base_price_cents: 1000 });
  const order = async () =>
    (await ann.call("POST", "/orders", { body: { items: [{ product_id: product.id, quantity: 1 }] } })).json()
      .id as string;
  const advance = (id: string, status: string) =>
    barista.call("PATCH", `/orders/${id}/status`, { body: { status } });
  return { ann, barista, manager, order, advance };
}

const stamped = () =>
  eventually(async () => (await shop.sql`select from events where seq is null`).count === 0);

describe("sales", () => {
  test("count orders, what they brought, what went back, and the time in each status", async () => {
    const { ann, manager, order, advance } = await setUp();
    const [kept, early, canceled] = [await order(), await order(), await order()];
    await ann.call("POST", `/orders/${canceled}/cancel`);
    await manager.call("POST", `/admin/orders/${kept}/refunds`, {
      body: { amount_cents: 300, reason: "cold" },
    });
    await advance(kept, "preparation");
    await advance(kept, "ready");
    await stamped();
    await shop.sql`update orders set created_at = '2026-03-01T09:10:00Z' where id in (${kept}, ${canceled})`;
    await shop.sql`update orders set created_at = '2026-03-01T07:59:59Z' where id = ${early}`;
    const read = (query: string) => manager.call("GET", `/admin/sales?${query}`);
    const sales = (await read("from=2026-03-01T07:30:00Z&to=2026-03-01T20:00:00Z")).json();
    expect(sales).toEqual({
      from: "2026-03-01T07:30:00.000Z",
      to: "2026-03-01T20:00:00.000Z",
      orders: 2,
      canceled: 1,
      revenue_cents: 2000,
      refunded_cents: 300,
      average_seconds: { waiting: null, preparation: null, ready: null },
      hours: [
        { starts_at: "2026-03-01T07:30:00.000Z", orders: 1, canceled: 0, revenue_cents: 1000 },
        { starts_at: "2026-03-01T08:30:00.000Z", orders: 1, canceled: 1, revenue_cents: 1000 },
      ],
    });
    // `to` is not part of the span, `from` is.
    expect((await read("from=2026-03-01T07:59:59Z&to=2026-03-01T09:10:00Z")).json()).toMatchObject({
      orders: 1,
      canceled: 0,
      refunded_cents: 0,
    });
  });

  test("tell the average time that orders took to leave each status", async () => {
    const { manager, order, advance } = await setUp();
    const [one, two] = [await order(), await order()];
    for (const status of ["preparation", "ready"]) await advance(one, status);
    await advance(two, "preparation");
    await stamped();
    const ago = (seconds: number, id: string, to: string | null) => shop.sql`
      update events set created_at = now() - ${seconds} * interval '1 second'
      where subject_id = ${id} and data ->> 'to' is not distinct from ${to}`;
    await ago(1000, one, null);
    await ago(900, one, "preparation");
    await ago(870, one, "ready");
    await ago(1000, two, null);
    await ago(800, two, "preparation");
    const { average_seconds, orders } = (await manager.call("GET", "/admin/sales")).json();
    expect(average_seconds).toEqual({
      waiting: expect.closeTo(150, 1),
      preparation: expect.closeTo(30, 1),
      ready: null,
    });
    expect(orders).toBe(2);
  });

  test("are for managers, and of a span that makes sense", async () => {
    const { ann, barista, manager } = await setUp();
    for (const who of [ann, barista]) expectProblem(await who.call("GET", "/admin/sales"), 403, "forbidden");
    expectProblem(await shop.call("GET", "/admin/sales"), 401, "unauthorized");
    for (const bad of [
      "from=yesterday",
      "to=",
      "from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z",
      "from=2026-03-01T00:00:00Z&to=2026-03-01T00:00:00Z",
      "from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:01Z",
      "to=0001-01-01T00:00:00Z",
    ])
      expectProblem(await manager.call("GET", `/admin/sales?${bad}`), 400, "validation_failed");
    const month = await manager.call("GET", "/admin/sales?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z");
    expect(month.json()).toMatchObject({ orders: 0, revenue_cents: 0, hours: [] });
  });
});

describe("what happened", () => {
  test("to an order is listed newest first, page by page", async () => {
    const { manager, order, advance } = await setUp();
    const [id, other] = [await order(), await order()];
    for (const status of ["preparation", "ready"]) await advance(id, status);
    await stamped();
    const types = (items: { type: string; data: { to?: string } }[]) =>
      items.map(({ type, data }) => data.to ?? type);
    const all = (await manager.call("GET", `/admin/events?subject_id=${id.toUpperCase()}`)).json();
    expect(types(all.items)).toEqual(["ready", "preparation", "order.created"]);
    expect(all.items[0]).toMatchObject({
      subject_id: id,
      seq: expect.any(Number),
      data: { id, from: "preparation" },
    });
    const first = (await manager.call("GET", `/admin/events?subject_id=${id}&limit=2`)).json();
    const rest = (
      await manager.call("GET", `/admin/events?subject_id=${id}&limit=2&cursor=${first.next_cursor}`)
    ).json();
    expect([...first.items, ...rest.items]).toEqual(all.items);
    expect(rest.next_cursor).toBeNull();
    const everything = (await manager.call("GET", "/admin/events?limit=100")).json().items;
    expect(everything.map((event: { subject_id: string }) => event.subject_id)).toContain(other);
  });

  test("is for managers", async () => {
    const { ann, barista, manager } = await setUp();
    for (const who of [ann, barista]) expectProblem(await who.call("GET", "/admin/events"), 403, "forbidden");
    expectProblem(await shop.call("GET", "/admin/events"), 401, "unauthorized");
    expectProblem(await manager.call("GET", "/admin/events?subject_id=x"), 400, "validation_failed");
    expectProblem(await manager.call("GET", "/admin/events?cursor=x"), 400, "invalid_cursor");
    const nobody = await manager.call("GET", `/admin/events?subject_id=${uuidv7()}`);
    expect(nobody.json()).toEqual({ items: [], next_cursor: null });
  });
});

describe("the ledgers", () => {
  test("are read by order, and refunds by status too", async () => {
    const { ann, barista, manager, order, advance } = await setUp();
    const [id, other] = [await order(), await order()];
    await advance(id, "preparation");
    await advance(other, "preparation");
    await manager.call("POST", `/admin/orders/${id}/refunds`, {
      body: { amount_cents: 300, reason: "cold" },
    });
    const list = async (path: string) => (await manager.call("GET", path)).json().items;
    const [payment, ...noOther] = await list(`/admin/payments?order_id=${id}`);
    expect(payment).toMatchObject({ order_id: id, amount_cents: 1000 });
    expect(noOther).toEqual([]);
    expect(await list(`/admin/notifications?order_id=${id}`)).toMatchObject([
      { order_id: id, order_status: "preparation" },
    ]);
    expect(await list(`/admin/notifications?order_id=${uuidv7()}`)).toEqual([]);
    expect(await list("/admin/refunds")).toMatchObject([{ order_id: id, amount_cents: 300 }]);
    expect(await list("/admin/refunds?status=failed")).toEqual([]);
    // As the worker does when its round comes: there is no refund endpoint.
    await shop.sql`update refunds set status = 'due'`;
    expect(await list("/admin/refunds?status=due")).toMatchObject([{ order_id: id, status: "due" }]);
    for (const who of [ann, barista])
      expectProblem(await who.call("GET", "/admin/refunds"), 403, "forbidden");
    expectProblem(await shop.call("GET", "/admin/refunds"), 401, "unauthorized");
    expectProblem(await manager.call("GET", "/admin/refunds?status=gone"), 400, "validation_failed");
    expectProblem(await manager.call("GET", "/admin/refunds?cursor=x"), 400, "invalid_cursor");
    for (const path of ["payments", "notifications"])
      expectProblem(await manager.call("GET", `/admin/${path}?order_id=1`), 400, "validation_failed");
  });
});
