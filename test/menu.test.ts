import { v7 as uuidv7 } from "uuid";
import { describe, expect, test } from "vitest";
import { changeProduct, removeProduct } from "../src/catalog/product-edit.ts";
import type { Product } from "../src/catalog/schemas.ts";
import { makeProduct } from "./factories.ts";
import { testShop } from "./harness.ts";

const shop = testShop();

// Changes by SQL reach the cache a moment later, so each read invalidates it. menu-cache.test.ts tests the delay.
async function readMenu(): Promise<{ currency: string; categories: unknown[]; products: Product[] }> {
  shop.menu.invalidate();
  const response = await shop.call("GET", "/menu");
  expect(response.statusCode, response.body).toBe(200);
  return response.json();
}

async function makeCategory(name: string, { sort_order = 0, archived = false } = {}): Promise<string> {
  const id = uuidv7();
  await shop.sql`
    insert into categories (id, name, description, sort_order, archived_at)
    values (${id}, ${name}, ${`All ${name}`}, ${sort_order}, ${archived ? shop.sql`now()` : null})`;
  return id;
}

/** Inserts a product with two variations, a required and an optional group of two options each. */
const makeCoffee = () =>
  makeProduct(shop.sql, {
    variations: [
      { name: "Small", price_change_cents: -50 },
      { name: "Large", price_change_cents: 80 },
    ],
    option_groups: ["Temperature", "Milk"].map((name, index) => ({
      name,
      min_select: 1 - index,
      max_select: 1,
      options: [
        { name: `${name} one`, price_change_cents: 0 },
        { name: `${name} two`, price_change_cents: 60 },
      ],
    })),
  });

const sellOut = (table: "products" | "variations" | "options", id: string, until = "infinity") =>
  shop.sql`update ${shop.sql(table)} set sold_out_until = ${until}::timestamptz where id = ${id}`;

describe("the menu", () => {
  test("of an empty shop is empty, and public", async () => {
    const response = await shop.call("GET", "/menu");
    expect(response.json()).toEqual({ currency: "USD", categories: [], products: [] });
    expect(response.headers["content-type"]).toBe("application/json; charset=utf-8");
  });

  test("shows what can be ordered, without the fields for managers", async () => {
    const category_id = await makeCategory("Coffee", { sort_order: 3 });
    const { id, variations, option_groups } = await makeProduct(shop.sql, {
      name: "Latte",
      base_price_cents: 400,
      category_id,
      description: "With milk",
      image_url: "/images/latte.png",
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
            { name: "Whole", price_change_cents: 0 },
            { name: "Oat", price_change_cents: 60 },
          ],
        },
      ],
    });
    const [small, large] = variations;
    const [milk] = option_groups;
    expect(await readMenu()).toEqual({
      currency: "USD",
      categories: [{ id: category_id, name: "Coffee", description: "All Coffee", sort_order: 3 }],
      products: [
        {
          id,
          name: "Latte",
          description: "With milk",
          category_id,
          image_url: "/images/latte.png",
          base_price_cents: 400,
          available: true,
          variations: [
            { id: small!.id, name: "Small", price_change_cents: -50, price_cents: 350, available: true },
            { id: large!.id, name: "Large", price_change_cents: 80, price_cents: 480, available: true },
          ],
          option_groups: [
            {
              id: milk!.id,
              name: "Milk",
              min_select: 0,
              max_select: 2,
              options: [
                { id: milk!.options[0]!.id, name: "Whole", price_change_cents: 0, available: true },
                { id: milk!.options[1]!.id, name: "Oat", price_change_cents: 60, available: true },
              ],
            },
          ],
        },
      ],
    });
  });

  test("is in the order of its categories; products without one come last", async () => {
    await makeProduct(shop.sql, { name: "Gift card" });
    const bakery = await makeCategory("Bakery", { sort_order: 2 });
    const coffee = await makeCategory("Coffee", { sort_order: 1 });
    const tea = await makeCategory("tea", { sort_order: 1 });
    for (const [name, category_id] of Object.entries({
      Donut: bakery,
      Sencha: tea,
      Latte: coffee,
      Mocha: coffee,
    }))
      await makeProduct(shop.sql, { name, category_id });
    const menu = await readMenu();
    expect(menu.categories).toMatchObject([{ id: coffee }, { id: tea }, { id: bakery }]);
    expect(menu.products.map(({ name }) => name)).toEqual(["Latte", "Mocha", "Sencha", "Donut", "Gift card"]);
  });

  test("omits archived rows", async () => {
    await makeCategory("Old", { archived: true });
    await removeProduct(shop.sql, (await makeProduct(shop.sql)).id, undefined);
    const { id, variations, option_groups } = await makeCoffee();
    const [temperature] = option_groups;
    await changeProduct(
      shop.sql,
      id,
      {
        variations: [variations[1]!],
        option_groups: [{ ...temperature!, options: [temperature!.options[1]!] }],
      },
      undefined,
    );
    expect(await readMenu()).toMatchObject({
      categories: [],
      products: [
        {
          id,
          variations: [{ name: "Large" }],
          option_groups: [{ name: "Temperature", options: [{ name: "Temperature two" }] }],
        },
      ],
    });
  });
});

describe("availability", () => {
  const coffeeOnMenu = async () => (await readMenu()).products[0]!;

  test.each([
    ["until further notice", "infinity", false],
    ["until a time to come", "2999-01-01T00:00:00Z", false],
    ["until a time that has passed", "2020-01-01T00:00:00Z", true],
  ])("of a product that is sold out %s", async (_title, until, available) => {
    const { id } = await makeCoffee();
    await sellOut("products", id, until);
    expect(await coffeeOnMenu()).toMatchObject({
      available,
      variations: [{ available: true }, { available: true }],
    });
  });

  test.each([
    ["until further notice", "infinity", false],
    ["until a time to come", "2999-01-01T00:00:00Z", false],
    ["until a time that has passed", "2020-01-01T00:00:00Z", true],
  ])("of a variation and an option that are sold out %s", async (_title, until, available) => {
    const { variations, option_groups } = await makeCoffee();
    await sellOut("variations", variations[0]!.id, until);
    await sellOut("options", option_groups[0]!.options[0]!.id, until);
    expect(await coffeeOnMenu()).toMatchObject({
      available: true,
      variations: [{ available }, { available: true }],
      option_groups: [
        { options: [{ available }, { available: true }] },
        { options: [{ available: true }, { available: true }] },
      ],
    });
  });

  test("returns by itself when the time has passed", async () => {
    const { id } = await makeCoffee();
    const until = new Date(Date.now() + 300);
    await sellOut("products", id, until.toISOString());
    expect((await coffeeOnMenu()).available).toBe(false);
    await expect.poll(async () => (await coffeeOnMenu()).available, { timeout: 3_000 }).toBe(true);
    expect(Date.now()).toBeGreaterThanOrEqual(until.getTime() - 50);
  });

  test("ends for a product when its last variation is sold out", async () => {
    const { variations } = await makeCoffee();
    await sellOut("variations", variations[0]!.id);
    expect((await coffeeOnMenu()).available).toBe(true);
    await sellOut("variations", variations[1]!.id);
    expect((await coffeeOnMenu()).available).toBe(false);
  });

  test("ends for a product whose required group has too few options left", async () => {
    const { option_groups } = await makeCoffee();
    const [temperature, milk] = option_groups;
    for (const { id } of milk!.options) await sellOut("options", id);
    expect((await coffeeOnMenu()).available).toBe(true);
    await sellOut("options", temperature!.options[0]!.id);
    expect((await coffeeOnMenu()).available).toBe(true);
    await sellOut("options", temperature!.options[1]!.id);
    expect((await coffeeOnMenu()).available).toBe(false);
  });

  test("depends on the number of options that a group requires", async () => {
    const options = ["One", "Two"].map((name) => ({ name, price_change_cents: 0 }));
    const product = await makeProduct(shop.sql, {
      option_groups: [{ name: "Both", min_select: 2, max_select: 2, options }],
    });
    expect((await coffeeOnMenu()).available).toBe(true);
    await sellOut("options", product.option_groups[0]!.options[0]!.id);
    expect((await coffeeOnMenu()).available).toBe(false);
  });

  test("ignores archived rows", async () => {
    const { id, variations } = await makeCoffee();
    await sellOut("variations", variations[0]!.id);
    await changeProduct(shop.sql, id, { variations: [variations[0]!] }, undefined);
    expect((await coffeeOnMenu()).available).toBe(false);
  });
});

describe("the menu's ETag", () => {
  const ask = (tag: string) => {
    shop.menu.invalidate();
    return shop.call("GET", "/menu", { headers: { "if-none-match": tag } });
  };
  const tagOf = async () => (await ask('""')).headers.etag as string;

  test("is strong, and the same while nothing changes", async () => {
    await makeCoffee();
    const tag = await tagOf();
    expect(tag).toMatch(/^"[\w-]+"$/);
    expect(await tagOf()).toBe(tag);
  });

  test.each([
    ["itself", (tag: string) => tag],
    ["a list with it", (tag: string) => `"other", ${tag}`],
    ["it made weak", (tag: string) => `W/${tag}`],
    ["anything", () => "*"],
  ])("gets 304 when the client has %s", async (_title, header) => {
    await makeCoffee();
    const tag = await tagOf();
    const response = await ask(header(tag));
    expect(response.statusCode).toBe(304);
    expect(response.body).toBe("");
    expect(response.headers.etag).toBe(tag);
  });

  test.each(["other", "none"])("gets the menu when the client has %s", async (value) => {
    const { id } = await makeCoffee();
    const response = await ask(`"${value}"`);
    expect(response.statusCode).toBe(200);
    expect(response.json().products).toMatchObject([{ id }]);
  });

  test("changes with each change of the menu, and with nothing else", async () => {
    const { id, variations } = await makeCoffee();
    const tags = [await tagOf()];
    for (const change of [
      () => changeProduct(shop.sql, id, { base_price_cents: 310 }, undefined),
      () => changeProduct(shop.sql, id, { description: "Fresh" }, undefined),
      () => sellOut("variations", variations[0]!.id),
      () => makeCategory("Coffee"),
      () => makeProduct(shop.sql),
      () => removeProduct(shop.sql, id, undefined),
    ]) {
      const before = tags.at(-1)!;
      expect((await ask(before)).statusCode).toBe(304);
      await change();
      expect((await ask(before)).statusCode).toBe(200);
      tags.push(await tagOf());
    }
    expect(new Set(tags).size).toBe(tags.length);
    await shop.as("customer");
    expect(await tagOf()).toBe(tags.at(-1));
  });
});
