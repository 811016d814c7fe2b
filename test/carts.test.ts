import { v7 as uuidv7 } from "uuid";
import { describe, expect, test } from "vitest";
import { makeProduct } from "./factories.ts";
import { expectProblem, testShop } from "./harness.ts";

const shop = testShop();

const cartOf = async (user: { call: typeof shop.call }) => (await user.call("GET", "/users/me/cart")).json();
const stored = () => shop.sql`
  select product_id, variation_id, to_json(option_ids) as option_ids, quantity, notes from cart_items order by id`;

const withOptions = () =>
  makeProduct(shop.sql, {
    base_price_cents: 400,
    variations: [
      { name: "Small", price_change_cents: -50 },
      { name: "Large", price_change_cents: 80 },
    ],
    option_groups: [
      {
        name: "Milk",
        min_select: 0,
        max_select: 2,
        options: [
          { name: "Oat", price_change_cents: 60 },
          { name: "Soy", price_change_cents: 50 },
        ],
      },
    ],
  });

describe("a cart", () => {
  test("is empty and without an id before there is one, and made once", async () => {
    const ann = await shop.as("customer");
    expect(await cartOf(ann)).toEqual({ id: null, items: [], total_cents: 0, problems: [] });
    const made = await ann.call("POST", "/users/me/cart");
    expect(made.statusCode).toBe(201);
    expect(made.json()).toEqual({ id: expect.any(String), items: [], total_cents: 0, problems: [] });
    expectProblem(await ann.call("POST", "/users/me/cart"), 409, "cart_exists");
    expect(await cartOf(ann)).toEqual(made.json());
    expect((await ann.call("DELETE", "/users/me/cart")).statusCode).toBe(204);
    expect((await ann.call("DELETE", "/users/me/cart")).statusCode).toBe(204);
    expect((await cartOf(ann)).id).toBeNull();
    const events = await shop.sql`select subject_id, data from events where type = 'cart.updated'`;
    const event = { subject_id: made.json().id, data: { cart_id: made.json().id, user_id: ann.id } };
    expect(events).toEqual([event, event]);
  });

  test("made twenty times at once is made once", async () => {
    const ann = await shop.as("customer");
    const answers = await Promise.all(Array.from({ length: 20 }, () => ann.call("POST", "/users/me/cart")));
    expect(answers.filter(({ statusCode }) => statusCode === 201)).toHaveLength(1);
    expect(answers.filter(({ statusCode }) => statusCode === 409)).toHaveLength(19);
    expect(await shop.sql`select from carts`).toHaveLength(1);
  });

  test("is made by its first item and priced as an order would be", async () => {
    const ann = await shop.as("customer");
    const product = await withOptions();
    const [oat, soy] = product.option_groups[0]!.options;
    const large = product.variations[1]!;
    const body = {
      product_id: product.id,
      variation_id: large.id,
      option_ids: [soy!.id, oat!.id],
      quantity: 2,
    };
    const added = await ann.call("POST", "/users/me/cart/items", { body });
    expect(added.statusCode, added.body).toBe(201);
    const line = added.json();
    expect(line).toEqual({
      id: expect.any(String),
      product_id: product.id,
      variation_id: large.id,
      option_ids: [oat!.id, soy!.id].sort(),
      product_name: product.name,
      variation_name: "Large",
      options: expect.arrayContaining([
        { id: oat!.id, name: "Oat", price_change_cents: 60 },
        { id: soy!.id, name: "Soy", price_change_cents: 50 },
      ]),
      quantity: 2,
      unit_price_cents: 590,
      total_cents: 1180,
      notes: null,
    });
    expect(added.headers.location).toBe(`/api/v1/users/${ann.id}/cart/items/${line.id}`);
    expect(await cartOf(ann)).toEqual({
      id: expect.any(String),
      items: [line],
      total_cents: 1180,
      problems: [],
    });
    expect((await ann.call("GET", `/users/me/cart/items/${line.id}`)).json()).toEqual(line);
    expect((await ann.call("GET", "/users/me/cart/items")).json()).toEqual({
      items: [line],
      next_cursor: null,
    });
  });

  test("adds the quantities of the same line, in whatever order its options are, and keeps others apart", async () => {
    const ann = await shop.as("customer");
    const product = await withOptions();
    const [oat, soy] = product.option_groups[0]!.options.map(({ id }) => id);
    const [small, large] = product.variations.map(({ id }) => id);
    const add = (fields: object) =>
      ann.call("POST", "/users/me/cart/items", {
        body: { product_id: product.id, variation_id: small, quantity: 1, ...fields },
      });
    const first = (await add({ option_ids: [oat, soy] })).json();
    expect((await add({ option_ids: [soy, oat], quantity: 3 })).json()).toMatchObject({
      id: first.id,
      quantity: 4,
    });
    await add({ option_ids: [oat] });
    await add({});
    await add({ option_ids: [] });
    await add({ variation_id: large });
    await add({ notes: "hot" });
    expect((await stored()).map(({ quantity }) => quantity)).toEqual([4, 1, 2, 1, 1]);
  });

  test("twenty parallel adds of one line sum up, and twenty different lines all survive", async () => {
    const ann = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    const add = (notes?: string) =>
      ann.call("POST", "/users/me/cart/items", {
        body: { product_id: product.id, quantity: 2, ...(notes && { notes }) },
      });
    const answers = await Promise.all([
      ...Array.from({ length: 20 }, () => add()),
      ...Array.from({ length: 20 }, (_, n) => add(`line ${n}`)),
    ]);
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(40).fill(201));
    const quantities = (await stored()).map(({ quantity }) => quantity).sort((a, b) => b - a);
    expect(quantities).toEqual([40, ...Array(20).fill(2)]);
    expect((await cartOf(ann)).total_cents).toBe((40 + 40) * 300);
  });

  test("has at most 100 of a line and 50 lines, however many come at once", async () => {
    const ann = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    const add = (fields: object) =>
      ann.call("POST", "/users/me/cart/items", { body: { product_id: product.id, quantity: 1, ...fields } });
    await add({ quantity: 99 });
    await add({});
    expectProblem(await add({}), 409, "quantity_limit");
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => add({ notes: `line ${n}` })));
    expect(answers.filter(({ statusCode }) => statusCode === 201)).toHaveLength(49);
    for (const answer of answers) if (answer.statusCode !== 201) expectProblem(answer, 409, "quantity_limit");
    expect(await stored()).toHaveLength(50);
    // The same line again is no new one.
    const [line] = (await ann.call("GET", "/users/me/cart/items?limit=1")).json().items;
    expect((await add({ notes: line.notes })).statusCode).toBe(201);
  });

  test("a line's quantity is changed, to 0 removes it", async () => {
    const ann = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    const body = { product_id: product.id, quantity: 1 };
    const { id } = (await ann.call("POST", "/users/me/cart/items", { body })).json();
    const change = (quantity: unknown) =>
      ann.call("PATCH", `/users/me/cart/items/${id}`, { body: { quantity } });
    expect((await change(7)).json()).toMatchObject({ id, quantity: 7, total_cents: 2100 });
    for (const bad of [-1, 101, 1.5, "2", null]) expectProblem(await change(bad), 400, "validation_failed");
    expect((await stored())[0]!.quantity).toBe(7);
    expect((await change(0)).statusCode).toBe(204);
    expect(await stored()).toHaveLength(0);
    expectProblem(await change(1), 404, "not_found");
    expectProblem(await ann.call("GET", `/users/me/cart/items/${id}`), 404, "not_found");
    expectProblem(await ann.call("DELETE", `/users/me/cart/items/${id}`), 404, "not_found");
  });

  test("lines are removed one by one or all at once", async () => {
    const ann = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    for (const notes of ["a", "b", "c"])
      await ann.call("POST", "/users/me/cart/items", {
        body: { product_id: product.id, quantity: 1, notes },
      });
    const { items } = await cartOf(ann);
    expect((await ann.call("DELETE", `/users/me/cart/items/${items[1].id}`)).statusCode).toBe(204);
    expect((await cartOf(ann)).items).toEqual([items[0], items[2]]);
    expect((await ann.call("DELETE", "/users/me/cart/items")).statusCode).toBe(204);
    expect((await cartOf(ann)).items).toEqual([]);
    expect((await ann.call("DELETE", "/users/me/cart/items")).statusCode).toBe(204);
  });

  test("tells what can't be had any more and what costs something else, and counts only what can be had", async () => {
    const ann = await shop.as("customer");
    const [fine, dearer, gone, out] = await Promise.all([1, 2, 3, 4].map(() => makeProduct(shop.sql)));
    const product = await withOptions();
    const [oat] = product.option_groups[0]!.options;
    const [small, large] = product.variations;
    const lines = [
      { product_id: fine!.id },
      { product_id: dearer!.id },
      { product_id: gone!.id },
      { product_id: out!.id },
      { product_id: product.id, variation_id: small!.id, option_ids: [oat!.id] },
      { product_id: product.id, variation_id: large!.id },
    ];
    for (const line of lines)
      await ann.call("POST", "/users/me/cart/items", { body: { quantity: 1, ...line } });
    const ids = (await cartOf(ann)).items.map(({ id }: { id: string }) => id);
    await shop.sql`update products set base_price_cents = 350 where id = ${dearer!.id}`;
    await shop.sql`update products set archived_at = now() where id = ${gone!.id}`;
    await shop.sql`update products set sold_out_until = 'infinity' where id = ${out!.id}`;
    await shop.sql`update options set archived_at = now() where id = ${oat!.id}`;
    await shop.sql`update variations set archived_at = now() where id = ${large!.id}`;
    const cart = await cartOf(ann);
    expect(
      cart.problems.map(({ item_id, code }: Record<string, string>) => [ids.indexOf(item_id!), code]),
    ).toEqual([
      [1, "price_changed"],
      [2, "archived"],
      [3, "sold_out"],
      [4, "invalid_options"],
      [5, "archived"],
    ]);
    expect(cart.total_cents).toBe(300 + 350);
    expect(cart.items.map((item: Record<string, unknown>) => item.total_cents)).toEqual([
      300,
      350,
      null,
      null,
      null,
      null,
    ]);
    expect(cart.items[2].product_name).toBe(gone!.name);
  });

  test("refuses what an order would refuse, and keeps nothing of it", async () => {
    const ann = await shop.as("customer");
    const product = await withOptions();
    const out = await makeProduct(shop.sql);
    await shop.sql`update products set sold_out_until = 'infinity' where id = ${out.id}`;
    const add = (body: object) => ann.call("POST", "/users/me/cart/items", { body });
    for (const [line, status, code, ...paths] of [
      [{ product_id: uuidv7() }, 400, "invalid_item", "/product_id"],
      [{ product_id: product.id }, 400, "invalid_item", "/variation_id"],
      [{ product_id: out.id, option_ids: [uuidv7()] }, 400, "invalid_item", "/option_ids/0"],
      [{ product_id: out.id }, 409, "sold_out", "/product_id"],
    ] as const) {
      const { errors } = expectProblem(await add({ ...line, quantity: 1 }), status, code);
      expect(errors.map(({ path }: { path: string }) => path)).toEqual(paths);
    }
    for (const bad of [
      { quantity: 0 },
      { quantity: 101 },
      { quantity: "1" },
      { price: 1 },
      { product_id: "x" },
    ])
      expectProblem(await add({ product_id: product.id, quantity: 1, ...bad }), 400, "validation_failed");
    expect(await shop.sql`select from carts`).toHaveLength(0);
    expect(await shop.sql`select from events where type = 'cart.updated'`).toHaveLength(0);
  });

  test("is its owner's and the managers' alone; for others it isn't there", async () => {
    const [ann, ben, barista, manager] = [
      await shop.as("customer"),
      await shop.as("customer"),
      await shop.as("barista"),
      await shop.as("manager"),
    ];
    const product = await makeProduct(shop.sql);
    const body = { product_id: product.id, quantity: 1 };
    const { id } = (await ann.call("POST", `/users/${ann.id}/cart/items`, { body })).json();
    for (const other of [ben, barista])
      for (const [method, path] of [
        ["GET", "cart"],
        ["POST", "cart"],
        ["DELETE", "cart"],
        ["GET", "cart/items"],
        ["DELETE", "cart/items"],
        ["GET", `cart/items/${id}`],
        ["DELETE", `cart/items/${id}`],
      ] as const)
        expectProblem(await other.call(method, `/users/${ann.id}/${path}`), 404, "not_found");
    expectProblem(await ben.call("POST", `/users/${ann.id}/cart/items`, { body }), 404, "not_found");
    expectProblem(await ben.call("DELETE", `/users/me/cart/items/${id}`), 404, "not_found");
    expectProblem(await shop.call("GET", "/users/me/cart"), 401, "unauthorized");
    expectProblem(await ann.call("GET", "/users/17/cart"), 400, "validation_failed");
    expectProblem(await manager.call("GET", `/users/${uuidv7()}/cart`), 404, "not_found");
    expect((await manager.call("GET", `/users/${ann.id.toUpperCase()}/cart`)).json().items).toHaveLength(1);
    expect(await stored()).toHaveLength(1);

    await shop.sql`update users set deleted_at = now() where id = ${ann.id}`;
    expectProblem(await ann.call("POST", "/users/me/cart/items", { body }), 401, "unauthorized");
  });
});

describe("checking out", () => {
  const filled = async (quantity = 2) => {
    const ann = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    const add = (fields: object = {}) =>
      ann.call("POST", "/users/me/cart/items", { body: { product_id: product.id, quantity, ...fields } });
    await add();
    const checkOut = (body: object = {}, headers: Record<string, string> = {}) =>
      ann.call("POST", "/users/me/orders", { body, headers });
    return { ann, product, add, checkOut };
  };

  test("makes the order of the cart's lines and empties it", async () => {
    const { ann, product, add, checkOut } = await filled();
    await add({ notes: "hot", quantity: 1 });
    const response = await checkOut({
      total_cents: 900,
      notes: "n",
      fulfillment: { type: "dine_in", table: "2" },
    });
    expect(response.statusCode, response.body).toBe(201);
    expect(response.json()).toMatchObject({
      customer_id: ann.id,
      total_cents: 900,
      notes: "n",
      items: [
        { product_id: product.id, quantity: 2, notes: null },
        { product_id: product.id, quantity: 1, notes: "hot" },
      ],
    });
    expect((await cartOf(ann)).items).toEqual([]);
    expectProblem(await checkOut(), 409, "cart_empty");
    expect(await shop.sql`select from orders`).toHaveLength(1);
    expect(shop.provider.calls.map(({ body }) => body)).toEqual([{ value: 900 }]);
  });

  test("without a body is one that says nothing", async () => {
    const { ann, checkOut } = await filled();
    const headers = { "idempotency-key": "k" };
    const placed = await ann.call("POST", "/users/me/orders", { headers });
    expect(placed.statusCode, placed.body).toBe(201);
    expect((await checkOut({}, headers)).json()).toEqual(placed.json());
  });

  test("with the same key again gives the same order, although the cart is empty", async () => {
    const { checkOut } = await filled();
    const key = { "idempotency-key": "k" };
    const first = await checkOut({}, key);
    const again = await checkOut({}, key);
    expect([first.statusCode, again.statusCode]).toEqual([201, 200]);
    expect(again.json()).toEqual(first.json());
    expectProblem(await checkOut({ notes: "other" }, key), 422, "idempotency_key_reused");
  });

  test.each([
    ["declined", () => ({ status: 402 }) as const, 402],
    ["mismatched", undefined, 409],
    ["sold out", undefined, 409],
  ])("%s leaves the cart as it was", async (what, answer, status) => {
    const { ann, product, checkOut } = await filled();
    const before = await stored();
    if (answer) shop.provider.answer = answer;
    if (what === "sold out")
      await shop.sql`update products set sold_out_until = 'infinity' where id = ${product.id}`;
    expect((await checkOut(what === "mismatched" ? { total_cents: 1 } : {})).statusCode).toBe(status);
    expect(await stored()).toEqual(before);
    expect((await cartOf(ann)).items).toHaveLength(1);
    expect(await shop.sql`select from orders`).toHaveLength(0);
  });

  test("against checking out makes one order, and the other is cart_empty", async () => {
    for (let round = 0; round < 5; round++) {
      shop.provider.reset();
      const { checkOut } = await filled();
      const answers = await Promise.all(Array.from({ length: 5 }, () => checkOut()));
      expect(answers.filter(({ statusCode }) => statusCode === 201)).toHaveLength(1);
      for (const answer of answers) if (answer.statusCode !== 201) expectProblem(answer, 409, "cart_empty");
      expect(shop.provider.calls).toHaveLength(1);
    }
    expect(await shop.sql`select from orders`).toHaveLength(5);
    expect(await stored()).toHaveLength(0);
  });

  test("takes out what it priced and nothing that was added meanwhile", async () => {
    const { ann, add, checkOut } = await filled(2);
    const { promise: added, resolve: addDone } = Promise.withResolvers<void>();
    shop.provider.answer = () => ({ status: 200, after: added });
    const placing = checkOut();
    await expect.poll(() => shop.provider.calls.length).toBe(1);
    // The cart is claimed, not locked: adding waits for nobody.
    await add({ quantity: 3 });
    await add({ quantity: 1, notes: "late" });
    addDone();
    expect((await placing).json()).toMatchObject({ total_cents: 600, items: [{ quantity: 2 }] });
    expect((await cartOf(ann)).items).toMatchObject([
      { quantity: 3, notes: null },
      { quantity: 1, notes: "late" },
    ]);
    expect(shop.provider.calls.map(({ body }) => body)).toEqual([{ value: 600 }]);
  });

  test("against adding loses nothing and charges nothing twice", async () => {
    const { ann, add, checkOut } = await filled(1);
    const racing = [];
    for (let n = 0; n < 10; n++) racing.push(add({ quantity: 1, notes: `${n}` }), checkOut());
    await Promise.all(racing);
    const [{ bought }] = await shop.sql<[{ bought: number }]>`
      select coalesce(sum(quantity), 0)::int as bought from order_items`;
    const left = (await cartOf(ann)).items.reduce(
      (sum: number, { quantity }: { quantity: number }) => sum + quantity,
      0,
    );
    expect(bought + left).toBe(11);
    const charged = shop.provider.calls.reduce((sum, { body }) => sum + (body.value as number), 0);
    expect(charged).toBe(bought * 300);
  });

  test("refuses bad input and strangers, uncharged", async () => {
    const { ann, checkOut } = await filled();
    const ben = await shop.as("customer");
    for (const bad of [
      { items: [] },
      { total_cents: "5" },
      { notes: null },
      { fulfillment: { type: "delivery" } },
    ])
      expectProblem(await checkOut(bad), 400, "validation_failed");
    expectProblem(await checkOut({}, { "idempotency-key": "a b" }), 400, "invalid_idempotency_key");
    expectProblem(await ben.call("POST", `/users/${ann.id}/orders`, { body: {} }), 404, "not_found");
    expect(shop.provider.calls).toEqual([]);
    expect(await stored()).toHaveLength(1);
    expect(await shop.sql`select from orders`).toHaveLength(0);
  });
});

describe("ordering again", () => {
  test("puts what can still be had into the cart and tells what can't", async () => {
    const ann = await shop.as("customer");
    const [fine, gone] = [await makeProduct(shop.sql), await makeProduct(shop.sql, { name: "Seasonal" })];
    const product = await withOptions();
    const [oat] = product.option_groups[0]!.options;
    const items = [
      { product_id: fine.id, quantity: 2, notes: "hot" },
      { product_id: gone.id, quantity: 1 },
      { product_id: product.id, variation_id: product.variations[0]!.id, option_ids: [oat!.id], quantity: 1 },
    ];
    const order = (await ann.call("POST", "/orders", { body: { items } })).json();
    await shop.sql`update products set archived_at = now() where id = ${gone.id}`;
    const response = await ann.call("POST", `/users/me/orders/${order.id}/reorder`);
    expect(response.statusCode, response.body).toBe(200);
    expect(response.json()).toEqual({
      ...(await cartOf(ann)),
      skipped: [{ product_name: "Seasonal", code: "archived" }],
    });
    expect(await stored()).toMatchObject([
      { product_id: fine.id, quantity: 2, notes: "hot" },
      { product_id: product.id, option_ids: [oat!.id] },
    ]);
    expectProblem(
      await (await shop.as("customer")).call("POST", `/users/me/orders/${order.id}/reorder`),
      404,
      "not_found",
    );
  });

  test("past a limit of the cart changes nothing", async () => {
    const ann = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    const body = { items: [{ product_id: product.id, quantity: 60 }] };
    const order = (await ann.call("POST", "/orders", { body })).json();
    expect((await ann.call("POST", `/users/me/orders/${order.id}/reorder`)).statusCode).toBe(200);
    expectProblem(await ann.call("POST", `/users/me/orders/${order.id}/reorder`), 409, "quantity_limit");
    expect((await stored())[0]!.quantity).toBe(60);
  });
});
