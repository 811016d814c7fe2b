import { beforeEach, describe, expect, test } from "vitest";
import { makeProduct } from "./factories.ts";
import { type Call, eventually, expectProblem, rowsOf, testShop } from "./harness.ts";

const shop = testShop();

let barista: Awaited<ReturnType<typeof shop.as>>;
beforeEach(async () => {
  barista = await shop.as("barista");
});

const makeCoffee = () =>
  makeProduct(shop.sql, {
    variations: [
      { name: "Small", price_change_cents: 0 },
      { name: "Large", price_change_cents: 80 },
    ],
    option_groups: [
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

const put = (id: string, body: unknown, call = barista.call) =>
  call("PUT", `/admin/products/${id}/availability`, { body });

const onMenu = async () => (await shop.call("GET", "/menu")).json().products[0];

const tables = ["products", "variations", "options", "events"];
async function expectRefusal(call: () => ReturnType<Call>, status: number, code: string) {
  const before = await rowsOf(shop.sql, tables);
  const problem = expectProblem(await call(), status, code);
  expect(await rowsOf(shop.sql, tables)).toEqual(before);
  return problem;
}

describe("sold out", () => {
  test("is a product until it is marked available", async () => {
    const { id, version } = await makeCoffee();
    const soldOut = await put(id, { available: false });
    expect(soldOut.statusCode, soldOut.body).toBe(200);
    expect(soldOut.json()).toMatchObject({ id, available: false, version: version + 1 });
    expect(soldOut.headers).toMatchObject({ etag: `"${version + 1}"`, "cache-control": "no-store" });
    expect(await onMenu()).toMatchObject({ available: false, variations: [{ available: true }, {}] });
    expect(
      await shop.sql`select type, data from events where subject_id = ${id} order by id desc limit 1`,
    ).toEqual([{ type: "menu.changed", data: { product_id: id } }]);

    expect((await put(id, { available: true })).json()).toMatchObject({
      available: true,
      version: version + 2,
    });
    expect((await onMenu()).available).toBe(true);
  });

  test("is one variation or option, and the product with its last one", async () => {
    const { id, version, variations, option_groups } = await makeCoffee();
    const [small, large] = variations;
    const [hot, iced] = option_groups[0]!.options;
    const first = await put(id, { available: false, variation_id: small!.id });
    expect(first.json()).toMatchObject({
      available: true,
      version: version + 1,
      variations: [{ available: false }, { available: true }],
    });
    expect((await put(id, { available: false, variation_id: large!.id })).json().available).toBe(false);
    await put(id, { available: true, variation_id: large!.id });
    await put(id, { available: false, option_id: hot!.id });
    expect(await onMenu()).toMatchObject({ available: true });
    // A required group without options makes the product unavailable.
    expect((await put(id, { available: false, option_id: iced!.id })).json()).toMatchObject({
      available: false,
      version: version + 5,
      option_groups: [{ options: [{ available: false }, { available: false }] }],
    });
    expect(await onMenu()).toMatchObject({ available: false });
  });

  test("ends by itself", async () => {
    const { id, variations } = await makeCoffee();
    const until = new Date(Date.now() + 500).toISOString();
    await put(id, { available: false, until, variation_id: variations[0]!.id });
    await put(id, { available: false, until });
    expect(await onMenu()).toMatchObject({ available: false, variations: [{ available: false }, {}] });
    await eventually(async () => (await onMenu()).available && (await onMenu()).variations[0].available, 1);
  });

  test("items cannot be ordered, and the response names every such line", async () => {
    const customer = await shop.as("customer");
    const { id, variations, option_groups } = await makeCoffee();
    const tea = await makeProduct(shop.sql);
    const [hot] = option_groups[0]!.options;
    const line = (n: number) => ({
      product_id: id,
      variation_id: variations[n]!.id,
      option_ids: [hot!.id],
      quantity: 1,
    });
    await put(id, { available: false, variation_id: variations[0]!.id });
    await put(tea.id, { available: false });
    const items = [line(0), line(1), { product_id: tea.id, quantity: 1 }];
    const response = await customer.call("POST", "/orders", { body: { items } });
    const problem = expectProblem(response, 409, "sold_out");
    expect(problem.errors.map(({ path }: { path: string }) => path)).toEqual([
      "/items/0/variation_id",
      "/items/2/product_id",
    ]);
    await put(tea.id, { available: true });
    expect((await customer.call("POST", "/orders", { body: { items: items.slice(1) } })).statusCode).toBe(
      201,
    );
  });
});

describe("a change is rejected for", () => {
  const past = "2020-01-01T00:00:00Z";
  const future = "2999-01-01T00:00:00Z";

  test.each<[string, object, string]>([
    ["nothing said", {}, "/available"],
    ["null", { available: null }, "/available"],
    ["a word", { available: "false" }, "/available"],
    ["an until in the past", { available: false, until: past }, "/until"],
    ["an until with what is available", { available: true, until: future }, "/until"],
    ["an until that is no time", { available: false, until: "tomorrow" }, "/until"],
    ["an until of null", { available: false, until: null }, "/until"],
    ["an until that PostgreSQL cannot store", { available: false, until: "0000-01-01T00:00:00Z" }, "/until"],
    ["an offset that no clock has", { available: false, until: "2999-01-01T00:00:00+24:00" }, "/until"],
    ["a word for an id", { available: false, variation_id: "small" }, "/variation_id"],
    ["an unknown key", { available: false, reason: "gone" }, "/reason"],
  ])("%s", async (_title, body, path) => {
    const { id } = await makeCoffee();
    const problem = await expectRefusal(() => put(id, body), 400, "validation_failed");
    expect(problem.errors).toMatchObject([{ path }]);
  });

  test("a variation and an option at once, and those of another product or archived", async () => {
    const { id, variations, option_groups } = await makeCoffee();
    const other = await makeCoffee();
    const manager = await shop.as("manager");
    const variation_id = variations[0]!.id;
    const option_id = option_groups[0]!.options[0]!.id;
    const rejected = (on: string, body: object) =>
      expectRefusal(() => put(on, { available: false, ...body }), 400, "validation_failed");
    await rejected(id, { variation_id, option_id });
    await rejected(other.id, { variation_id });
    await rejected(other.id, { option_id });
    await manager.call("PATCH", `/admin/products/${id}`, { body: { variations: [], option_groups: [] } });
    await rejected(id, { variation_id });
    await rejected(id, { option_id });
  });

  test("an unknown or archived product", async () => {
    const { id } = await makeCoffee();
    const manager = await shop.as("manager");
    await manager.call("DELETE", `/admin/products/${id}`);
    for (const gone of [id, "01920000-0000-7000-8000-00000000ffff"])
      await expectRefusal(() => put(gone, { available: false }), 404, "not_found");
    await expectRefusal(() => put("latte", { available: false }), 400, "validation_failed");
  });

  test("users other than staff", async () => {
    const { id } = await makeCoffee();
    const customer = await shop.as("customer");
    await expectRefusal(() => put(id, { available: false }, customer.call), 403, "forbidden");
    await expectRefusal(() => put(id, { available: false }, shop.call), 401, "unauthorized");
    const manager = await shop.as("manager");
    expect((await put(id, { available: false }, manager.call)).statusCode).toBe(200);
  });
});
