import { beforeEach, describe, expect, test } from "vitest";
import { makeProduct } from "./factories.ts";
import { type Call, expectProblem, rowsOf, testShop } from "./harness.ts";

const shop = testShop();

let manager: Awaited<ReturnType<typeof shop.as>>;
beforeEach(async () => {
  manager = await shop.as("manager");
});

const create = async (body: object) => {
  const response = await manager.call("POST", "/admin/categories", { body });
  expect(response.statusCode, response.body).toBe(201);
  return response.json();
};

/** Expects that the call is rejected and writes nothing. Returns the problem. */
async function expectRefusal(call: () => ReturnType<Call>, status: number, code: string) {
  const before = await rowsOf(shop.sql, ["categories", "products", "events"]);
  const problem = expectProblem(await call(), status, code);
  expect(await rowsOf(shop.sql, ["categories", "products", "events"])).toEqual(before);
  return problem;
}

const nobody = "01920000-0000-7000-8000-00000000ffff";

describe("a category", () => {
  test("is created, read in public, changed and archived, and each change is an event", async () => {
    const made = await manager.call("POST", "/admin/categories", {
      body: { name: " Tea ", description: "Hot", sort_order: 3 },
    });
    expect(made.statusCode, made.body).toBe(201);
    const tea = made.json();
    expect(tea).toMatchObject({ name: "Tea", description: "Hot", sort_order: 3 });
    expect(made.headers).toMatchObject({
      location: `/api/v1/categories/${tea.id}`,
      "cache-control": "no-store",
    });
    expect((await shop.call("GET", `/categories/${tea.id}`)).json()).toEqual(tea);
    expect((await shop.call("GET", "/menu")).json().categories).toMatchObject([{ id: tea.id, name: "Tea" }]);

    const path = `/admin/categories/${tea.id}`;
    const changed = await manager.call("PATCH", path, { body: { description: null, sort_order: -1 } });
    expect(changed.json()).toMatchObject({ id: tea.id, name: "Tea", description: null, sort_order: -1 });

    expect((await manager.call("DELETE", path)).statusCode).toBe(204);
    expectProblem(await shop.call("GET", `/categories/${tea.id}`), 404, "not_found");
    expect((await shop.call("GET", "/menu")).json().categories).toEqual([]);
    const events = await shop.sql`select type, subject_id, data from events`;
    expect(events).toEqual(
      Array.from({ length: 3 }, () => ({
        type: "menu.changed",
        subject_id: tea.id,
        data: { category_id: tea.id },
      })),
    );
    await create({ name: "Tea" });
  });

  test("has a unique name, regardless of case", async () => {
    await create({ name: "Tea" });
    const { id } = await create({ name: "Coffee" });
    for (const name of ["Tea", "tEA", "  tea "]) {
      await expectRefusal(
        () => manager.call("POST", "/admin/categories", { body: { name } }),
        409,
        "name_taken",
      );
      await expectRefusal(
        () => manager.call("PATCH", `/admin/categories/${id}`, { body: { name } }),
        409,
        "name_taken",
      );
    }
    const body = { name: "COFFEE" };
    expect((await manager.call("PATCH", `/admin/categories/${id}`, { body })).statusCode).toBe(200);
  });

  test.each([
    ["no name", {}, "/name"],
    ["a blank name", { name: "  " }, "/name"],
    ["a long name", { name: "n".repeat(101) }, "/name"],
    ["null for a name", { name: null }, "/name"],
    ["a long description", { name: "Tea", description: "d".repeat(2001) }, "/description"],
    ["a fraction", { name: "Tea", sort_order: 1.5 }, "/sort_order"],
    ["null for an order", { name: "Tea", sort_order: null }, "/sort_order"],
    ["more than an integer holds", { name: "Tea", sort_order: 3_000_000_000 }, "/sort_order"],
    ["an unknown key", { name: "Tea", colour: "green" }, "/colour"],
  ])("is rejected with %s", async (_title, body, path) => {
    const problem = await expectRefusal(
      () => manager.call("POST", "/admin/categories", { body }),
      400,
      "validation_failed",
    );
    expect(problem.errors).toMatchObject([{ path }]);
  });

  test("that is unknown or archived is not found", async () => {
    const { id } = await create({ name: "Tea" });
    await manager.call("DELETE", `/admin/categories/${id}`);
    for (const gone of [id, nobody]) {
      await expectRefusal(() => manager.call("DELETE", `/admin/categories/${gone}`), 404, "not_found");
      const body = { name: "Coffee" };
      await expectRefusal(
        () => manager.call("PATCH", `/admin/categories/${gone}`, { body }),
        404,
        "not_found",
      );
      for (const path of ["", "/products", `/products/${nobody}`])
        expectProblem(await shop.call("GET", `/categories/${gone}${path}`), 404, "not_found");
    }
    expectProblem(await shop.call("GET", "/categories/tea"), 400, "validation_failed");
  });

  test("with products cannot be archived until they are archived or moved", async () => {
    const { id } = await create({ name: "Tea" });
    const product = await makeProduct(shop.sql, { category_id: id });
    const problem = await expectRefusal(
      () => manager.call("DELETE", `/admin/categories/${id}`),
      409,
      "category_not_empty",
    );
    expect(problem.detail).toContain("1 products");
    await manager.call("DELETE", `/admin/products/${product.id}`);
    expect((await manager.call("DELETE", `/admin/categories/${id}`)).statusCode).toBe(204);
  });

  test("is never archived with a product that is added concurrently", async () => {
    for (let n = 0; n < 10; n++) {
      const { id } = await create({ name: `Category ${n}` });
      const [removed, added] = await Promise.all([
        manager.call("DELETE", `/admin/categories/${id}`),
        manager.call("POST", "/admin/products", {
          body: { name: `Product ${n}`, base_price_cents: 100, category_id: id },
        }),
      ]);
      expect([`${removed.statusCode} ${added.statusCode}`]).toContainEqual(
        expect.stringMatching(/^(204 400|409 201)$/),
      );
    }
    const orphans = await shop.sql`
      select from products p join categories c on c.id = p.category_id
      where c.archived_at is not null and p.archived_at is null`;
    expect(orphans).toHaveLength(0);
  });

  test("is written by managers only", async () => {
    const body = { name: "Tea" };
    expectProblem(await shop.call("POST", "/admin/categories", { body }), 401, "unauthorized");
    for (const role of ["customer", "barista"] as const) {
      const { call } = await shop.as(role);
      await expectRefusal(() => call("POST", "/admin/categories", { body }), 403, "forbidden");
      await expectRefusal(() => call("PATCH", `/admin/categories/${nobody}`, { body }), 403, "forbidden");
      await expectRefusal(() => call("DELETE", `/admin/categories/${nobody}`), 403, "forbidden");
    }
  });
});

describe("lists", () => {
  const pages = async (path: string) => {
    const names: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: { name: string }[]; next_cursor: string | null } = (
        await shop.call("GET", `${path}?limit=2${cursor ? `&cursor=${cursor}` : ""}`)
      ).json();
      expect(page.items.length).toBeLessThanOrEqual(2);
      names.push(...page.items.map(({ name }) => name));
      cursor = page.next_cursor;
    } while (cursor);
    return names;
  };

  test("of categories are in the order of the menu", async () => {
    expect((await shop.call("GET", "/categories")).json()).toEqual({ items: [], next_cursor: null });
    for (const [name, sort_order] of [
      ["tea", 1],
      ["Bakery", 2],
      ["Coffee", 1],
      ["Water", 0],
      ["Apples", 2],
    ])
      await create({ name, sort_order });
    const inOrder = ["Water", "Coffee", "tea", "Apples", "Bakery"];
    expect(await pages("/categories")).toEqual(inOrder);
    expect((await shop.call("GET", "/menu")).json().categories).toMatchObject(
      inOrder.map((name) => ({ name })),
    );
  });

  test("of categories continue after one that was archived meanwhile", async () => {
    for (const name of ["A", "B", "C"]) await create({ name });
    const first = (await shop.call("GET", "/categories?limit=2")).json();
    await manager.call("DELETE", `/admin/categories/${first.items[1].id}`);
    const second = (await shop.call("GET", `/categories?limit=2&cursor=${first.next_cursor}`)).json();
    expect(second).toMatchObject({ items: [{ name: "C" }], next_cursor: null });
  });

  test("of a category's products have the menu's shape, newest first, without archived ones", async () => {
    const { id } = await create({ name: "Coffee" });
    await makeProduct(shop.sql, { name: "Elsewhere" });
    for (const name of ["One", "Two", "Three"]) await makeProduct(shop.sql, { name, category_id: id });
    const archived = await makeProduct(shop.sql, { name: "Gone", category_id: id });
    await manager.call("DELETE", `/admin/products/${archived.id}`);
    expect(await pages(`/categories/${id}/products`)).toEqual(["Three", "Two", "One"]);
    const { items } = (await shop.call("GET", `/categories/${id}/products`)).json();
    const { products } = (await shop.call("GET", "/menu")).json();
    expect(items).toEqual(
      products.filter((product: { category_id: string }) => product.category_id === id).reverse(),
    );
    expect((await shop.call("GET", `/categories/${id}/products/${items[0].id}`)).json()).toEqual(items[0]);
  });

  test("a product of another category, or an archived one, is not found in this one", async () => {
    const { id } = await create({ name: "Coffee" });
    const elsewhere = await makeProduct(shop.sql);
    const archived = await makeProduct(shop.sql, { category_id: id });
    await manager.call("DELETE", `/admin/products/${archived.id}`);
    for (const product of [elsewhere, archived])
      expectProblem(await shop.call("GET", `/categories/${id}/products/${product.id}`), 404, "not_found");
  });

  test.each(["x", "", "e30", "%00"])("reject the cursor %j", async (cursor) => {
    const { id } = await create({ name: "Coffee" });
    for (const path of ["/categories", `/categories/${id}/products`]) {
      const response = await shop.call("GET", `${path}?cursor=${cursor}`);
      expectProblem(response, 400, cursor === "%00" ? "validation_failed" : "invalid_cursor");
    }
  });
});
