import { setTimeout as sleep } from "node:timers/promises";
import { v7 as uuidv7 } from "uuid";
import { describe, expect, test } from "vitest";
import { createProductCache } from "../src/catalog/product-cache.ts";
import type { Db } from "../src/db/pool.ts";
import { makeProduct } from "./factories.ts";
import { eventually, expectProblem, testShop } from "./harness.ts";

const shop = testShop();

/** Everything that a refused placement must not have left. */
async function expectNoOrder() {
  const [rows] = await shop.sql`
    select
      (select count(*)::int from orders) as orders,
      (select count(*)::int from order_items) as items,
      (select count(*)::int from events where type like 'order.%') as events`;
  expect(rows).toEqual({ orders: 0, items: 0, events: 0 });
}

async function expectUntouched() {
  await expectNoOrder();
  expect(await shop.sql`select * from payments`).toHaveLength(0);
  expect(shop.provider.calls).toHaveLength(0);
}

const flatWhite = () =>
  makeProduct(shop.sql, {
    name: "Flat White",
    base_price_cents: 420,
    variations: [
      { name: "Single", price_change_cents: 0 },
      { name: "Double", price_change_cents: 80 },
    ],
    option_groups: [
      {
        name: "Milk",
        min_select: 0,
        max_select: 1,
        options: [
          { name: "Oat", price_change_cents: 60 },
          { name: "Soy", price_change_cents: 50 },
        ],
      },
      {
        name: "Temperature",
        min_select: 1,
        max_select: 1,
        options: [
          { name: "Hot", price_change_cents: 0 },
          { name: "Iced", price_change_cents: 0 },
        ],
      },
    ],
  });

describe("placing an order", () => {
  test("charges the sum once and answers with the order, its names and prices as they are now", async () => {
    const customer = await shop.as("customer");
    const product = await flatWhite();
    const [single, double] = product.variations;
    const [oat] = product.option_groups[0]!.options;
    const [hot] = product.option_groups[1]!.options;
    const response = await customer.call("POST", "/orders", {
      body: {
        items: [
          {
            product_id: product.id,
            variation_id: double!.id,
            option_ids: [oat!.id, hot!.id],
            quantity: 2,
            notes: "x",
          },
          {
            product_id: product.id.toUpperCase(),
            variation_id: single!.id,
            option_ids: [hot!.id],
            quantity: 1,
          },
        ],
        total_cents: 1540,
        metadata: { table: { nested: [1, "two", null] } },
        notes: "no sugar",
        fulfillment: { type: "dine_in", table: "4" },
      },
    });
    expect(response.statusCode, response.body).toBe(201);
    const order = response.json();
    expect(order).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      number: expect.any(Number),
      customer_id: customer.id,
      status: "waiting",
      payment_status: "paid",
      total_cents: 1540,
      items: [
        {
          id: expect.any(String),
          product_id: product.id,
          variation_id: double!.id,
          product_name: "Flat White",
          variation_name: "Double",
          options: [
            { id: oat!.id, name: "Oat", price_change_cents: 60 },
            { id: hot!.id, name: "Hot", price_change_cents: 0 },
          ],
          quantity: 2,
          unit_price_cents: 560,
          total_cents: 1120,
          notes: "x",
        },
        expect.objectContaining({
          product_id: product.id,
          unit_price_cents: 420,
          total_cents: 420,
          notes: null,
        }),
      ],
      fulfillment: { type: "dine_in", table: "4" },
      metadata: { table: { nested: [1, "two", null] } },
      notes: "no sugar",
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      updated_at: order.created_at,
    });
    expect(response.headers.location).toBe(`/api/v1/orders/${order.id}`);
    expect(response.headers["cache-control"]).toBe("no-store");

    expect((await customer.call("GET", `/orders/${order.id}`)).json()).toEqual(order);
    const [charge, ...others] = shop.provider.callsTo("/payments");
    expect(others).toEqual([]);
    expect(charge!.body).toEqual({ value: 1540 });
    const payments =
      await shop.sql`select id, order_id, customer_id, amount_cents, status, response from payments`;
    expect(payments).toEqual([
      {
        id: charge!.key,
        order_id: order.id,
        customer_id: customer.id,
        amount_cents: 1540,
        status: "succeeded",
        response: expect.objectContaining({ status: 200, body: { success: true } }),
      },
    ]);
    const events = await shop.sql`select type, subject_id, data from events where type like 'order.%'`;
    expect(events).toEqual([{ type: "order.created", subject_id: order.id, data: order }]);
  });

  test("a later edit of the menu never rewrites a receipt", async () => {
    const customer = await shop.as("customer");
    const manager = await shop.as("manager");
    const product = await makeProduct(shop.sql, { name: "Latte", base_price_cents: 400 });
    const body = { items: [{ product_id: product.id, quantity: 1 }] };
    const order = (await customer.call("POST", "/orders", { body })).json();
    await manager.call("PATCH", `/admin/products/${product.id}`, {
      body: { name: "Grande", base_price_cents: 999 },
    });
    await manager.call("DELETE", `/admin/products/${product.id}`);
    const read = (await customer.call("GET", `/orders/${order.id}`)).json();
    expect(read.items[0]).toMatchObject({ product_name: "Latte", unit_price_cents: 400 });
  });

  test("what was ordered before is priced anew, whoever changed it and however", async () => {
    const customer = await shop.as("customer");
    const product = await makeProduct(shop.sql, { base_price_cents: 300 });
    const order = (items = [{ product_id: product.id, quantity: 1 }]) =>
      customer.call("POST", "/orders", { body: { items } });
    expect((await order()).json().total_cents).toBe(300);
    expect((await order()).json().total_cents).toBe(300);

    await shop.sql`update products set base_price_cents = 350 where id = ${product.id}`;
    expect((await order()).json().total_cents).toBe(350);
    // Beside it, one that is not known yet.
    const other = await makeProduct(shop.sql, { base_price_cents: 100 });
    const both = [product, other].map(({ id }) => ({ product_id: id.toUpperCase(), quantity: 1 }));
    expect((await order(both)).json().total_cents).toBe(450);

    await shop.sql`update products set sold_out_until = now() + interval '1 second' where id = ${product.id}`;
    expectProblem(await order(), 409, "sold_out");
    await eventually(async () => (await order()).statusCode === 201);
    await shop.sql`update products set archived_at = now() where id = ${product.id}`;
    expectProblem(await order(), 400, "invalid_item");
    // Rolled back: it never was so.
    await shop.sql
      .begin(async (tx) => {
        await tx`update products set base_price_cents = 1 where id = ${other.id}`;
        throw new Error("not after all");
      })
      .catch(() => {});
    expect((await order([{ product_id: other.id, quantity: 1 }])).json().total_cents).toBe(100);
  });

  test("what came back is not sold out again by a transaction that began before", async () => {
    const { id } = await makeProduct(shop.sql);
    const [late, other] = [await makeProduct(shop.sql), createProductCache()];
    await shop.sql`update products set sold_out_until = now() + interval '300 ms' where id = ${id}`;
    const [{ version }] = (await shop.sql`select version from menu_version`) as [{ version: string }];
    const available = async (sql: Db, ids: string[]) =>
      (await other.find(sql, version, ids)).find((product) => product.id === id)?.available;
    await shop.sql.begin(async (before) => {
      await before`select now()`;
      await sleep(400);
      expect(await available(shop.sql, [id])).toBe(true);
      expect(await available(before, [id, late.id])).toBe(false);
    });
    await eventually(async () => await available(shop.sql, [id]), 2);
  });

  test("a total of 0 is not sent to the provider; its payment is succeeded with amount 0", async () => {
    const customer = await shop.as("customer");
    const product = await makeProduct(shop.sql, { base_price_cents: 0 });
    const body = { items: [{ product_id: product.id, quantity: 3 }], total_cents: 0 };
    const response = await customer.call("POST", "/orders", { body, headers: { "idempotency-key": "free" } });
    expect(response.statusCode).toBe(201);
    expect(shop.provider.calls).toEqual([]);
    const [payment] = await shop.sql`select order_id, amount_cents, status from payments`;
    expect(payment).toEqual({ order_id: response.json().id, amount_cents: 0, status: "succeeded" });
    const again = await customer.call("POST", "/orders", { body, headers: { "idempotency-key": "free" } });
    expect(again.statusCode).toBe(200);
  });

  test("numbers run from 1 to 999 and around", async () => {
    const customer = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    const body = { items: [{ product_id: product.id, quantity: 1 }] };
    await shop.sql`select setval('order_numbers', 999)`;
    expect((await customer.call("POST", "/orders", { body })).json().number).toBe(1);
  });

  test("an order waits from when it was paid: what the provider took is no time in its first status", async () => {
    const customer = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    let paidAt = Number.NaN;
    const paid = () => sleep(200).then(() => (paidAt = Date.now()));
    shop.provider.answer = () => ({ status: 200, body: { success: true }, after: paid() });
    const body = { items: [{ product_id: product.id, quantity: 1 }] };
    const { id } = (await customer.call("POST", "/orders", { body })).json();
    const [row] = await shop.sql`
      select o.created_at, o.status_changed_at, e.created_at as told_at
      from orders o join events e on e.subject_id = o.id where o.id = ${id}`;
    expect(Date.parse(row!.created_at)).toBeGreaterThanOrEqual(paidAt);
    expect(row).toMatchObject({ status_changed_at: row!.created_at, told_at: row!.created_at });
  });

  test("a product edited while it is being paid is sold as it was priced", async () => {
    const customer = await shop.as("customer");
    const manager = await shop.as("manager");
    const product = await makeProduct(shop.sql, { name: "Latte", base_price_cents: 400 });
    const { promise: edited, resolve: editDone } = Promise.withResolvers<void>();
    shop.provider.answer = () => ({ status: 200, body: { success: true }, after: edited });
    const placing = customer.call("POST", "/orders", {
      body: { items: [{ product_id: product.id, quantity: 1 }] },
    });
    await expect.poll(() => shop.provider.calls.length).toBe(1);
    // The placement has only read so far: the edit waits for nobody.
    const edit = await manager.call("PATCH", `/admin/products/${product.id}`, {
      body: { name: "Grande", base_price_cents: 999 },
    });
    expect(edit.statusCode).toBe(200);
    editDone();
    const order = (await placing).json();
    expect(order).toMatchObject({
      total_cents: 400,
      items: [{ product_name: "Latte", unit_price_cents: 400 }],
    });
    expect(shop.provider.callsTo("/payments").map(({ body }) => body)).toEqual([{ value: 400 }]);
  });

  test.each([
    ["order", { key: "k" }],
    ["order without a key", {}],
    ["cart", { key: "k" }],
  ])(
    "until the charge has answered, the transaction has not written, locks no row and holds up no vacuum: %s",
    async (what, { key }: { key?: string }) => {
      const customer = await shop.as("customer");
      const product = await makeProduct(shop.sql);
      const line = { product_id: product.id, quantity: 1 };
      if (what === "cart") await customer.call("POST", "/users/me/cart/items", { body: line });
      const { promise: looked, resolve: lookDone } = Promise.withResolvers<void>();
      shop.provider.answer = () => ({ status: 200, body: {}, after: looked });
      const placing = customer.call("POST", what === "cart" ? "/users/me/orders" : "/orders", {
        body: what === "cart" ? {} : { items: [line] },
        headers: key ? { "idempotency-key": key } : {},
      });
      await expect.poll(() => shop.provider.calls.length).toBe(1);
      const [transaction] = await shop.sql`
        select state, backend_xid, backend_xmin, (select json_agg(distinct mode) from pg_locks l
          where l.pid = a.pid and locktype <> 'virtualxid') as locks
        from pg_stat_activity a
        where datname = current_database() and application_name = 'ristretto checkout' and state <> 'idle'`;
      expect(transaction).toMatchObject({
        state: "idle in transaction",
        backend_xid: null,
        backend_xmin: null,
      });
      expect(["AccessShareLock", "ExclusiveLock"]).toEqual(expect.arrayContaining(transaction!.locks));
      const [payment] = await shop.sql`select status, order_id from payments`;
      expect(payment).toEqual({ status: "pending", order_id: null });
      lookDone();
      expect((await placing).statusCode).toBe(201);
    },
  );
});

describe("what is refused", () => {
  test.each([
    ["no items", { items: [] }, "/items"],
    ["51 items", { items: Array(51).fill({ product_id: uuidv7(), quantity: 1 }) }, "/items"],
    ["no body's keys", {}, "/items"],
    ["items that are no list", { items: "all" }, "/items"],
    ["items null", { items: null }, "/items"],
    ["quantity 0", { items: [{ product_id: uuidv7(), quantity: 0 }] }, "/items/0/quantity"],
    ["quantity 101", { items: [{ product_id: uuidv7(), quantity: 101 }] }, "/items/0/quantity"],
    ["quantity 1.5", { items: [{ product_id: uuidv7(), quantity: 1.5 }] }, "/items/0/quantity"],
    ["quantity as text", { items: [{ product_id: uuidv7(), quantity: "1" }] }, "/items/0/quantity"],
    ["quantity null", { items: [{ product_id: uuidv7(), quantity: null }] }, "/items/0/quantity"],
    ["a product id that is none", { items: [{ product_id: "latte", quantity: 1 }] }, "/items/0/product_id"],
    [
      "a null variation",
      { items: [{ product_id: uuidv7(), variation_id: null, quantity: 1 }] },
      "/items/0/variation_id",
    ],
    ["an unknown key", { items: [{ product_id: uuidv7(), quantity: 1 }], total: 5 }, "/total"],
    [
      "an unknown key in an item",
      { items: [{ product_id: uuidv7(), quantity: 1, price: 1 }] },
      "/items/0/price",
    ],
    [
      "notes of 1001 characters",
      { items: [{ product_id: uuidv7(), quantity: 1 }], notes: "x".repeat(1001) },
      "/notes",
    ],
    ["a negative total", { items: [{ product_id: uuidv7(), quantity: 1 }], total_cents: -1 }, "/total_cents"],
    [
      "metadata that is a list",
      { items: [{ product_id: uuidv7(), quantity: 1 }], metadata: [] },
      "/metadata",
    ],
    [
      "metadata over 2 KiB",
      { items: [{ product_id: uuidv7(), quantity: 1 }], metadata: { x: "y".repeat(2048) } },
      "/metadata",
    ],
    [
      "delivery without an address",
      { items: [{ product_id: uuidv7(), quantity: 1 }], fulfillment: { type: "delivery" } },
      "/fulfillment/address",
    ],
    [
      "an unknown fulfillment",
      { items: [{ product_id: uuidv7(), quantity: 1 }], fulfillment: { type: "drone" } },
      "/fulfillment/type",
    ],
  ])("%s: validation_failed, naming the field", async (_what, body, path) => {
    const customer = await shop.as("customer");
    const problem = expectProblem(await customer.call("POST", "/orders", { body }), 400, "validation_failed");
    expect(problem.errors.map((error: { path: string }) => error.path)).toContain(path);
    await expectUntouched();
  });

  test("every bad field is named at once", async () => {
    const customer = await shop.as("customer");
    const body = {
      items: [{ product_id: 1, quantity: 0, extra: 1, notes: "a\0" }],
      notes: 5,
    };
    const problem = expectProblem(await customer.call("POST", "/orders", { body }), 400, "validation_failed");
    expect(problem.errors.map((error: { path: string }) => error.path).sort()).toEqual([
      "/items/0/extra",
      "/items/0/notes",
      "/items/0/product_id",
      "/items/0/quantity",
      "/notes",
    ]);
  });

  test("a schedule in the past or over 14 days ahead", async () => {
    const customer = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    const hours = (n: number) => new Date(Date.now() + n * 3_600_000).toISOString();
    for (const scheduled_at of [hours(-1), hours(14 * 24 + 1)]) {
      const body = {
        items: [{ product_id: product.id, quantity: 1 }],
        fulfillment: { type: "pickup", scheduled_at },
      };
      expectProblem(await customer.call("POST", "/orders", { body }), 400, "validation_failed");
    }
    await expectUntouched();
    const body = {
      items: [{ product_id: product.id, quantity: 1 }],
      fulfillment: { type: "pickup", scheduled_at: hours(13 * 24).replace("Z", "-02:00") },
    };
    // As every time, it is answered in UTC.
    const { fulfillment } = (await customer.call("POST", "/orders", { body })).json();
    expect(fulfillment.scheduled_at).toBe(new Date(body.fulfillment.scheduled_at).toISOString());
    expect(await shop.sql`select fulfillment from orders`).toEqual([{ fulfillment }]);
  });

  test("every line that can't be had is named: invalid_item", async () => {
    const customer = await shop.as("customer");
    const product = await flatWhite();
    const plain = await makeProduct(shop.sql);
    const archived = await makeProduct(shop.sql);
    await shop.sql`update products set archived_at = now() where id = ${archived.id}`;
    const [milk, temperature] = product.option_groups;
    const [oat, soy] = milk!.options;
    const [hot] = temperature!.options;
    const variation_id = product.variations[0]!.id;
    const problem = expectProblem(
      await customer.call("POST", "/orders", {
        body: {
          items: [
            { product_id: uuidv7(), quantity: 1 },
            { product_id: archived.id, quantity: 1 },
            { product_id: product.id, option_ids: [hot!.id], quantity: 1 },
            { product_id: product.id, variation_id: uuidv7(), option_ids: [hot!.id], quantity: 1 },
            { product_id: product.id, variation_id, quantity: 1 },
            { product_id: product.id, variation_id, option_ids: [hot!.id, oat!.id, soy!.id], quantity: 1 },
            { product_id: product.id, variation_id, option_ids: [hot!.id, hot!.id], quantity: 1 },
            { product_id: plain.id, variation_id, quantity: 1 },
            { product_id: plain.id, option_ids: [hot!.id], quantity: 1 },
            { product_id: plain.id, quantity: 1 },
          ],
        },
      }),
      400,
      "invalid_item",
    );
    const paths = problem.errors.map((error: { path: string }) => error.path);
    expect(paths).toEqual([
      "/items/0/product_id",
      "/items/1/product_id",
      "/items/2/variation_id",
      "/items/3/variation_id",
      "/items/4/option_ids",
      "/items/5/option_ids",
      "/items/6/option_ids/1",
      "/items/7/variation_id",
      "/items/8/option_ids/0",
    ]);
    await expectUntouched();
  });

  test("an archived variation or option is an invalid item", async () => {
    const customer = await shop.as("customer");
    const product = await flatWhite();
    const hot = product.option_groups[1]!.options[0]!;
    const variation_id = product.variations[0]!.id;
    const body = { items: [{ product_id: product.id, variation_id, option_ids: [hot.id], quantity: 1 }] };
    await shop.sql`update options set archived_at = now() where id = ${hot.id}`;
    expectProblem(await customer.call("POST", "/orders", { body }), 400, "invalid_item");
    await shop.sql`update options set archived_at = null where id = ${hot.id}`;
    await shop.sql`update variations set archived_at = now() where id = ${variation_id}`;
    expectProblem(await customer.call("POST", "/orders", { body }), 400, "invalid_item");
    await expectUntouched();
  });

  test("every sold-out line is named: sold_out; until comes by itself", async () => {
    const customer = await shop.as("customer");
    const gone = await makeProduct(shop.sql);
    const product = await flatWhite();
    const hot = product.option_groups[1]!.options[0]!;
    const variation_id = product.variations[1]!.id;
    await shop.sql`update products set sold_out_until = 'infinity' where id = ${gone.id}`;
    await shop.sql`update variations set sold_out_until = now() + interval '1 hour' where id = ${variation_id}`;
    await shop.sql`update options set sold_out_until = 'infinity' where id = ${hot.id}`;
    const body = {
      items: [
        { product_id: gone.id, quantity: 1 },
        { product_id: product.id, variation_id, option_ids: [hot.id], quantity: 1 },
      ],
    };
    const problem = expectProblem(await customer.call("POST", "/orders", { body }), 409, "sold_out");
    expect(problem.errors.map((error: { path: string }) => error.path)).toEqual([
      "/items/0/product_id",
      "/items/1/variation_id",
      "/items/1/option_ids/0",
    ]);
    await expectUntouched();
    for (const table of ["products", "variations", "options"])
      await shop.sql`update ${shop.sql(table)} set sold_out_until = now() - interval '1 second'`;
    expect((await customer.call("POST", "/orders", { body })).statusCode).toBe(201);
  });

  test("a total that differs: total_mismatch with the right one, and nothing is charged", async () => {
    const customer = await shop.as("customer");
    const product = await makeProduct(shop.sql, { base_price_cents: 300 });
    const body = { items: [{ product_id: product.id, quantity: 2 }], total_cents: 599 };
    const problem = expectProblem(await customer.call("POST", "/orders", { body }), 409, "total_mismatch");
    expect(problem.expected_total_cents).toBe(600);
    expect(problem.detail).toMatch(/^Total mismatch/);
    await expectUntouched();
  });

  test("a total over an int is 400 and nothing is charged", async () => {
    const customer = await shop.as("customer");
    const options = Array.from({ length: 20 }, (_, n) => ({ name: `o${n}`, price_change_cents: 100_000 }));
    const option_groups = Array.from({ length: 5 }, (_, n) => ({
      name: `g${n}`,
      min_select: 0,
      max_select: 20,
      options,
    }));
    const product = await makeProduct(shop.sql, { base_price_cents: 100_000, option_groups });
    const option_ids = product.option_groups.flatMap((group) => group.options.map(({ id }) => id));
    const items = Array(3).fill({ product_id: product.id, option_ids, quantity: 100 });
    expectProblem(await customer.call("POST", "/orders", { body: { items } }), 400, "validation_failed");
    await expectUntouched();
  });

  test.each([
    ["256 characters", "k".repeat(256)],
    ["blanks", "a b"],
    ["nothing", ""],
    ["other than ASCII", "schlüssel"],
    ["a newline", "a\nb"],
  ])("a key of %s: invalid_idempotency_key", async (_what, key) => {
    const customer = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    const response = await customer.call("POST", "/orders", {
      body: { items: [{ product_id: product.id, quantity: 1 }] },
      headers: { "idempotency-key": key },
    });
    expectProblem(response, 400, "invalid_idempotency_key");
    await expectUntouched();
  });

  test("no token, and the token of someone who left: unauthorized", async () => {
    const product = await makeProduct(shop.sql);
    const body = { items: [{ product_id: product.id, quantity: 1 }] };
    const response = await shop.call("POST", "/orders", { body });
    expectProblem(response, 401, "unauthorized");
    expect(response.headers["www-authenticate"]).toBe("Bearer");
    // The token is judged before the body.
    expectProblem(await shop.call("POST", "/orders", { body: {} }), 401, "unauthorized");

    const gone = await shop.as("customer");
    await shop.sql`update users set deleted_at = now() where id = ${gone.id}`;
    expectProblem(await gone.call("POST", "/orders", { body }), 401, "unauthorized");
    await expectUntouched();
  });
});

describe("the tables reject", () => {
  test.each([
    ["orders", "number = 0", "orders_number_is_1_to_999"],
    ["orders", "status = 'lost'", "orders_status_is_known"],
    ["orders", "payment_status = 'unpaid'", "orders_payment_status_is_known"],
    ["orders", "total_cents = -1", "orders_total_is_not_negative"],
    ["order_items", "quantity = 0, total_cents = 0", "order_items_quantity_is_1_to_100"],
    [
      "order_items",
      "quantity = 101, total_cents = 101 * unit_price_cents",
      "order_items_quantity_is_1_to_100",
    ],
    [
      "order_items",
      "unit_price_cents = -1, total_cents = -quantity",
      "order_items_unit_price_is_not_negative",
    ],
    ["order_items", "total_cents = 1", "order_items_total_is_quantity_times_price"],
    ["payments", "status = 'paid'", "payments_status_is_known"],
    ["payments", "amount_cents = -1", "payments_amount_is_not_negative"],
    ["payments", "attempts = 0", "payments_attempts_are_positive"],
    ["payments", "order_id = null", "payments_that_succeeded_have_an_order"],
    ["payments", "status = 'failed'", "payments_that_failed_have_no_order"],
  ])("%s with %s", async (table, change, constraint_name) => {
    const [customer, product] = [await shop.as("customer"), await makeProduct(shop.sql)];
    const body = { items: [{ product_id: product.id, quantity: 2 }] };
    expect((await customer.call("POST", "/orders", { body })).statusCode).toBe(201);
    const before = await shop.sql.unsafe(`select * from ${table}`);
    expect(before).toHaveLength(1);
    const update = shop.sql.unsafe(`update ${table} set ${change}`);
    await expect(update).rejects.toMatchObject({ constraint_name });
    expect(await shop.sql.unsafe(`select * from ${table}`)).toEqual(before);
  });
});

describe("reading orders", () => {
  test("an order is read by its owner and by staff; for others it isn't there", async () => {
    const [owner, other, barista, manager] = [
      await shop.as("customer"),
      await shop.as("customer"),
      await shop.as("barista"),
      await shop.as("manager"),
    ];
    const product = await makeProduct(shop.sql);
    const body = { items: [{ product_id: product.id, quantity: 1 }] };
    const order = (await owner.call("POST", "/orders", { body })).json();
    for (const reader of [owner, barista, manager])
      expect((await reader.call("GET", `/orders/${order.id}`)).json()).toEqual(order);
    const problem = expectProblem(await other.call("GET", `/orders/${order.id}`), 404, "not_found");
    expect(problem.detail).toBe("Order not found");
    expectProblem(await shop.call("GET", `/orders/${order.id}`), 401, "unauthorized");
    expectProblem(await owner.call("GET", `/orders/${uuidv7()}`), 404, "not_found");
    expectProblem(await owner.call("GET", "/orders/17"), 400, "validation_failed");

    await shop.sql`update users set role = 'customer' where id = ${barista.id}`;
    expectProblem(await barista.call("GET", `/orders/${order.id}`), 404, "not_found");
  });

  test("the board's list pages through every order once, newest first, behind its filters", async () => {
    const [ann, ben, barista] = [
      await shop.as("customer"),
      await shop.as("customer"),
      await shop.as("barista"),
    ];
    const product = await makeProduct(shop.sql);
    const body = { items: [{ product_id: product.id, quantity: 1 }] };
    const placed: string[] = [];
    for (let n = 0; n < 7; n++)
      placed.unshift((await (n % 2 ? ann : ben).call("POST", "/orders", { body })).json().id);
    await barista.call("PATCH", `/orders/${placed[0]}/status`, { body: { status: "preparation" } });

    const ids = async (query: string) => {
      const response = await barista.call("GET", `/admin/orders?${query}`);
      expect(response.statusCode, response.body).toBe(200);
      return response.json().items.map((order: { id: string }) => order.id);
    };
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const response = await barista.call("GET", `/admin/orders?limit=3${cursor && `&cursor=${cursor}`}`);
      const page: { items: { id: string }[]; next_cursor: string | null } = response.json();
      seen.push(...page.items.map((order) => order.id));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(placed);
    expect(await ids("limit=7")).toEqual(placed);
    expect(await ids("status=preparation")).toEqual([placed[0]]);
    expect(await ids(`customer_id=${ann.id}`)).toHaveLength(3);
    const [{ middle }] = await shop.sql<
      [{ middle: string }]
    >`select created_at as middle from orders where id = ${placed[3]!}`;
    expect(await ids(`from=${middle}`)).toEqual(placed.slice(0, 4));
    expect(await ids(`to=${middle}`)).toEqual(placed.slice(4));

    expectProblem(await barista.call("GET", "/admin/orders?cursor=garbage"), 400, "invalid_cursor");
    expectProblem(await barista.call("GET", "/admin/orders?cursor="), 400, "invalid_cursor");
    for (const query of [
      "limit=0",
      "limit=101",
      "limit=x",
      "limit=1.5",
      "status=lost",
      "customer_id=1",
      "from=today",
      "to=2026-02-30T00:00:00Z",
    ])
      expectProblem(await barista.call("GET", `/admin/orders?${query}`), 400, "validation_failed");
    expectProblem(await ann.call("GET", "/admin/orders?limit=0"), 403, "forbidden");
    expectProblem(await shop.call("GET", "/admin/orders"), 401, "unauthorized");
  });
});
