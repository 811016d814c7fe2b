import { v7 as uuidv7 } from "uuid";
import { beforeEach, describe, expect, test } from "vitest";
import { makeProduct } from "./factories.ts";
import { type Call, eventually, expectProblem, testShop } from "./harness.ts";

const shop = testShop();

let manager: Awaited<ReturnType<typeof shop.as>>;
beforeEach(async () => {
  manager = await shop.as("manager");
});

const latte = {
  name: "Latte",
  base_price_cents: 400,
  variations: [
    { name: "Small", price_change_cents: -50 },
    { name: "Large", price_change_cents: 80 },
  ],
  option_groups: [
    {
      name: "Milk",
      min_select: 0,
      max_select: 1,
      options: [
        { name: "Whole", price_change_cents: 0 },
        { name: "Oat", price_change_cents: 60 },
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
};

const group = (fields: object) => ({
  name: "Milk",
  min_select: 0,
  max_select: 1,
  options: [{ name: "Oat", price_change_cents: 60 }],
  ...fields,
});

/** Returns `count` rows with different names. */
const many = <T extends object>(count: number, fields: T) =>
  Array.from({ length: count }, (_, index) => ({ name: `Row ${index}`, ...fields }));

async function makeCategory({ archived = false } = {}): Promise<string> {
  const id = uuidv7();
  await shop.sql`
    insert into categories (id, name, archived_at)
    values (${id}, ${`Category ${id}`}, ${archived ? shop.sql`now()` : null})`;
  return id;
}

/** Returns every row that an edit of a product may write. */
async function catalogRows() {
  const tables = ["products", "variations", "option_groups", "options", "events"];
  return Promise.all(tables.map((table) => shop.sql`select * from ${shop.sql(table)} order by id`));
}

/** Expects that the call is rejected and writes nothing. Returns the problem. */
async function expectRefusal(call: () => ReturnType<Call>, status: number, code: string) {
  const before = await catalogRows();
  const problem = expectProblem(await call(), status, code);
  expect(await catalogRows()).toEqual(before);
  return problem;
}

const rejectedPaths = (problem: { errors?: { path: string }[] }) => problem.errors?.map(({ path }) => path);

const menuChanges = () =>
  shop.sql<{ subject_id: string }[]>`
    select subject_id, data, seq from events where type = 'menu.changed' order by id`;

const create = async (body: object) => {
  const response = await manager.call("POST", "/admin/products", { body });
  expect(response.statusCode, response.body).toBe(201);
  return response.json();
};

const edit = async (method: "PATCH" | "PUT", id: string, body: object) => {
  const response = await manager.call(method, `/admin/products/${id}`, { body });
  expect(response.statusCode, response.body).toBe(200);
  return response.json();
};

interface Row {
  id: string;
  name: string;
  price_change_cents: number;
  price_cents: number;
}

const names = (rows: { name: string }[]) => rows.map(({ name }) => name);
const ids = (rows: { id: string }[]) => rows.map(({ id }) => id);

describe("creating a product", () => {
  test("returns 201 with the product and its nested rows in the given order", async () => {
    const category_id = await makeCategory();
    const fields = { category_id, description: "With milk", image_url: "https://example.com/latte.png" };
    const response = await manager.call("POST", "/admin/products", { body: { ...latte, ...fields } });
    expect(response.statusCode, response.body).toBe(201);
    const product = response.json();
    const id = expect.stringMatching(/^[0-9a-f-]{14}7[0-9a-f-]{21}$/);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
    expect(product).toEqual({
      id,
      name: "Latte",
      base_price_cents: 400,
      ...fields,
      available: true,
      variations: [
        { id, name: "Small", price_change_cents: -50, price_cents: 350, available: true },
        { id, name: "Large", price_change_cents: 80, price_cents: 480, available: true },
      ],
      option_groups: latte.option_groups.map((group) => ({
        ...group,
        id,
        options: group.options.map((option) => ({ ...option, id, available: true })),
      })),
      version: 1,
      created_at: time,
      updated_at: time,
      archived_at: null,
    });
    expect(response.headers).toMatchObject({
      etag: '"1"',
      location: `/api/v1/admin/products/${product.id}`,
      "cache-control": "no-store",
    });
    expect((await manager.call("GET", `/admin/products/${product.id}`)).json()).toEqual(product);
  });

  test("requires only a name and a price", async () => {
    expect(await create({ name: "  Espresso ", base_price_cents: 0 })).toMatchObject({
      name: "Espresso",
      base_price_cents: 0,
      category_id: null,
      description: null,
      image_url: null,
      variations: [],
      option_groups: [],
    });
  });

  test("accepts values at their limits", async () => {
    const product = await create({
      name: "n".repeat(100),
      base_price_cents: 100_000,
      variations: many(50, { price_change_cents: -100_000 }),
      option_groups: many(20, {
        min_select: 0,
        max_select: 20,
        options: many(20, { price_change_cents: 100_000 }),
      }),
    });
    expect(product.variations).toHaveLength(50);
    expect(product.variations[49].price_cents).toBe(0);
    expect(product.option_groups).toHaveLength(20);
    expect(names(product.option_groups[19].options)).toEqual(names(many(20, {})));
  });

  test("accepts a negative variation that a required option compensates", async () => {
    await create({
      name: "Cup",
      base_price_cents: 100,
      variations: [{ name: "Own cup", price_change_cents: -150 }],
      option_groups: [group({ min_select: 1, options: [{ name: "Coffee", price_change_cents: 50 }] })],
    });
  });

  test("accepts negative options if no valid choice costs less than 0", async () => {
    const options = [
      { name: "Own cup", price_change_cents: -60 },
      { name: "Own lid", price_change_cents: -100 },
    ];
    await create({ name: "Cup", base_price_cents: 100, option_groups: [group({ options })] });
  });
});

describe("changing a product", () => {
  test("PATCH of one field keeps the others", async () => {
    const category_id = await makeCategory();
    const fields = { category_id, description: "With milk", image_url: "/images/latte.png" };
    const before = await create({ ...latte, ...fields });
    const after = await edit("PATCH", before.id, { base_price_cents: 410 });
    expect(after).toEqual({
      ...before,
      base_price_cents: 410,
      variations: before.variations.map((row: Row) => ({
        ...row,
        price_cents: row.price_cents + 10,
      })),
      version: 2,
      updated_at: expect.any(String),
    });
    expect(after.updated_at > before.updated_at).toBe(true);
  });

  test("PATCH clears a field that is null", async () => {
    const category_id = await makeCategory();
    const fields = { category_id, description: "With milk", image_url: "/images/latte.png" };
    const { id } = await create({ ...latte, ...fields });
    const nothing = { category_id: null, description: null, image_url: null };
    expect(await edit("PATCH", id, nothing)).toMatchObject(nothing);
  });

  test("a name may change only its case", async () => {
    const { id } = await create(latte);
    expect((await edit("PATCH", id, { name: "LATTE" })).name).toBe("LATTE");
  });

  test("PUT clears omitted fields", async () => {
    const category_id = await makeCategory();
    const fields = { category_id, description: "With milk", image_url: "/images/latte.png" };
    const { id } = await create({ ...latte, ...fields });
    const body = { name: "Mocha", base_price_cents: 450, variations: [], option_groups: [] };
    expect(await edit("PUT", id, body)).toMatchObject({
      ...body,
      category_id: null,
      description: null,
      image_url: null,
      version: 2,
    });
  });

  test.each(["name", "base_price_cents", "variations", "option_groups"])(
    "PUT without %s is rejected",
    async (field) => {
      const { id } = await create(latte);
      const body = { ...latte, [field]: undefined };
      const problem = await expectRefusal(
        () => manager.call("PUT", `/admin/products/${id}`, { body }),
        400,
        "validation_failed",
      );
      expect(rejectedPaths(problem)).toEqual([`/${field}`]);
    },
  );

  test("rows sent by name keep their ids, regardless of case and order", async () => {
    const before = await create(latte);
    const [small, large] = before.variations;
    const [milk, temperature] = before.option_groups;
    const after = await edit("PUT", before.id, {
      ...latte,
      variations: [
        { name: " LARGE ", price_change_cents: 90 },
        { name: "small", price_change_cents: -40 },
      ],
      option_groups: [
        { ...latte.option_groups[1], name: "temperature" },
        {
          ...latte.option_groups[0],
          options: [
            { name: "oat", price_change_cents: 70 },
            { name: "Whole", price_change_cents: 0 },
          ],
        },
      ],
    });
    expect(after.variations).toMatchObject([
      { id: large.id, name: "LARGE", price_change_cents: 90 },
      { id: small.id, name: "small", price_change_cents: -40 },
    ]);
    expect(after.option_groups).toMatchObject([
      { id: temperature.id, name: "temperature", options: temperature.options },
      {
        id: milk.id,
        options: [
          { id: milk.options[1].id, name: "oat", price_change_cents: 70 },
          { id: milk.options[0].id, name: "Whole" },
        ],
      },
    ]);
  });

  test("a row sent by its id is renamed", async () => {
    const before = await create(latte);
    const [milk, temperature] = before.option_groups;
    const after = await edit("PATCH", before.id, {
      variations: before.variations.map((row: Row) => ({
        id: row.id.toUpperCase(),
        name: `New ${row.price_change_cents}`,
        price_change_cents: row.price_change_cents,
      })),
      option_groups: [
        group({
          id: milk.id,
          name: "Drink of the cow",
          options: [{ id: milk.options[1].id, name: "Barista oat", price_change_cents: 60 }],
        }),
        { ...latte.option_groups[1] },
      ],
    });
    expect(ids(after.variations)).toEqual(ids(before.variations));
    expect(names(after.variations)).toEqual(["New -50", "New 80"]);
    expect(after.option_groups).toMatchObject([
      {
        id: milk.id,
        name: "Drink of the cow",
        options: [{ id: milk.options[1].id, name: "Barista oat" }],
      },
      temperature,
    ]);
  });

  test("two rows sent by id can swap their names, at each level", async () => {
    const before = await create(latte);
    const swapped = <T extends { name: string }>([a, b]: T[]) => [
      { ...a!, name: b!.name },
      { ...b!, name: a!.name },
    ];
    const row = ({ id, name, price_change_cents }: Row) => ({ id, name, price_change_cents });
    const after = await edit("PATCH", before.id, {
      variations: swapped(before.variations.map(row)),
      option_groups: swapped<Row & { options: Row[] }>(before.option_groups).map((group) => ({
        ...group,
        options: swapped(group.options.map(row)),
      })),
    });
    expect(ids(after.variations)).toEqual(ids(before.variations));
    expect(names(after.variations)).toEqual(["Large", "Small"]);
    expect(ids(after.option_groups)).toEqual(ids(before.option_groups));
    expect(names(after.option_groups)).toEqual(["Temperature", "Milk"]);
    expect(ids(after.option_groups[0].options)).toEqual(ids(before.option_groups[0].options));
    expect(names(after.option_groups[0].options)).toEqual(["Oat", "Whole"]);
  });

  test("a new row may have the former name of another row", async () => {
    const before = await create(latte);
    const [small, large] = before.variations;
    const after = await edit("PATCH", before.id, {
      variations: [
        { name: "Small", price_change_cents: -80 },
        { id: small.id, name: "Medium", price_change_cents: 0 },
      ],
    });
    expect(after.variations).toMatchObject([{ name: "Small" }, { id: small.id, name: "Medium" }]);
    expect([small.id, large.id]).not.toContain(after.variations[0].id);
  });

  test("an omitted row is archived, and a later row of its name is new", async () => {
    const before = await create(latte);
    const [, temperature] = before.option_groups;
    const after = await edit("PATCH", before.id, {
      variations: [{ name: "Large", price_change_cents: 80 }],
      option_groups: [{ ...latte.option_groups[1], options: [{ name: "Iced", price_change_cents: 0 }] }],
    });
    expect(names(after.variations)).toEqual(["Large"]);
    expect(after.option_groups).toEqual([{ ...temperature, options: [temperature.options[1]] }]);
    const { sql } = shop;
    const state = (table: string) =>
      sql`select name, archived_at is not null as archived from ${sql(table)} order by position, name`;
    expect(await state("variations")).toEqual([
      { name: "Large", archived: false },
      { name: "Small", archived: true },
    ]);
    expect(await state("option_groups")).toEqual([
      { name: "Milk", archived: true },
      { name: "Temperature", archived: false },
    ]);
    expect(
      await sql`
        select name, archived_at is not null as archived from options
        where option_group_id = ${temperature.id} order by name`,
    ).toEqual([
      { name: "Hot", archived: true },
      { name: "Iced", archived: false },
    ]);

    const again = await edit("PATCH", before.id, { variations: latte.variations });
    expect(names(again.variations)).toEqual(["Small", "Large"]);
    expect(again.variations[0].id).not.toBe(before.variations[0].id);
    expect(await sql`select id from variations`).toHaveLength(3);
  });

  test("an edit keeps sold-out times", async () => {
    const before = await create(latte);
    await shop.sql`update variations set sold_out_until = 'infinity' where id = ${before.variations[0].id}`;
    const after = await edit("PUT", before.id, latte);
    expect(after.variations).toMatchObject([{ available: false }, { available: true }]);
  });

  test("the id of an archived row is rejected", async () => {
    const { id, variations } = await create(latte);
    await edit("PATCH", id, { variations: [] });
    const body = { variations: [{ id: variations[0].id, name: "Small", price_change_cents: 0 }] };
    const problem = await expectRefusal(
      () => manager.call("PATCH", `/admin/products/${id}`, { body }),
      400,
      "validation_failed",
    );
    expect(rejectedPaths(problem)).toEqual(["/variations/0/id"]);
  });

  test("the id of another product's row is rejected, at each level", async () => {
    const other = await create({ ...latte, name: "Other" });
    const [milk, temperature] = (await create(latte)).option_groups;
    const { id } = await create({ ...latte, name: "Third" });
    for (const [body, path] of [
      [
        { variations: [{ id: other.variations[0].id, name: "Small", price_change_cents: 0 }] },
        "/variations/0/id",
      ],
      [{ option_groups: [group({ id: milk.id })] }, "/option_groups/0/id"],
      [
        {
          option_groups: [
            group({ options: [{ id: temperature.options[0].id, name: "Hot", price_change_cents: 0 }] }),
          ],
        },
        "/option_groups/0/options/0/id",
      ],
    ] as const) {
      const problem = await expectRefusal(
        () => manager.call("PATCH", `/admin/products/${id}`, { body }),
        400,
        "validation_failed",
      );
      expect(rejectedPaths(problem)).toEqual([path]);
    }
  });

  test("a duplicate id is rejected", async () => {
    const { id, variations } = await create(latte);
    const twice = ["One", "Two"].map((name) => ({ id: variations[0].id, name, price_change_cents: 0 }));
    await expectRefusal(
      () => manager.call("PATCH", `/admin/products/${id}`, { body: { variations: twice } }),
      400,
      "validation_failed",
    );
  });

  test("a price that existing rows would reduce below 0 is rejected", async () => {
    const { id } = await create(latte);
    await expectRefusal(
      () => manager.call("PATCH", `/admin/products/${id}`, { body: { base_price_cents: 49 } }),
      400,
      "validation_failed",
    );
    await edit("PATCH", id, { base_price_cents: 50 });
  });

  test("two concurrent edits of one product are both kept", async () => {
    const { id } = await create(latte);
    await Promise.all([
      edit("PATCH", id, { description: "With milk" }),
      edit("PATCH", id, { base_price_cents: 500 }),
    ]);
    expect((await manager.call("GET", `/admin/products/${id}`)).json()).toMatchObject({
      description: "With milk",
      base_price_cents: 500,
      version: 3,
    });
  });
});

describe("If-Match", () => {
  const put = (id: string, headers: Record<string, string> | undefined) =>
    manager.call("PUT", `/admin/products/${id}`, { body: latte, ...(headers && { headers }) });

  test.each([
    ["none", undefined],
    ["the current one", { "if-match": '"2"' }],
    ["any", { "if-match": "*" }],
    ["a list with the current one", { "if-match": '"1", "2"' }],
  ])("%s permits an edit, which returns the next version", async (_title, headers) => {
    const { id } = await create(latte);
    const patched = await manager.call("PATCH", `/admin/products/${id}`, { body: { name: "Mocha" } });
    expect(patched.headers.etag).toBe('"2"');
    expect((await manager.call("GET", `/admin/products/${id}`)).headers.etag).toBe('"2"');
    const response = await put(id, headers);
    expect(response.statusCode, response.body).toBe(200);
    expect(response.headers.etag).toBe('"3"');
    expect(response.json().version).toBe(3);
  });

  test.each([
    ["an older one", '"1"'],
    ["one that is not yet", '"3"'],
    ["a weak one", 'W/"2"'],
    ["no tag", "2"],
  ])("%s is rejected by every method that edits", async (_title, tag) => {
    const { id } = await create(latte);
    await edit("PATCH", id, { name: "Mocha" });
    const headers = { "if-match": tag };
    for (const call of [
      () => put(id, headers),
      () => manager.call("PATCH", `/admin/products/${id}`, { body: { name: "Latte" }, headers }),
      () => manager.call("DELETE", `/admin/products/${id}`, { headers }),
    ])
      await expectRefusal(call, 412, "stale_version");
  });

  test("rejects one of two concurrent edits of the same version", async () => {
    const { id } = await create(latte);
    const answers = await Promise.all([put(id, { "if-match": '"1"' }), put(id, { "if-match": '"1"' })]);
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 412]);
  });

  test("permits a DELETE of the current version", async () => {
    const { id } = await create(latte);
    const response = await manager.call("DELETE", `/admin/products/${id}`, {
      headers: { "if-match": '"1"' },
    });
    expect(response.statusCode).toBe(204);
  });
});

describe("archiving a product", () => {
  test("removes it from the menu and keeps its rows", async () => {
    const { id } = await create(latte);
    const response = await manager.call("DELETE", `/admin/products/${id}`);
    expect(response.statusCode, response.body).toBe(204);
    expect(response.body).toBe("");
    expect(response.headers["cache-control"]).toBe("no-store");
    expect((await shop.call("GET", "/menu")).json().products).toEqual([]);
    const { archived_at, ...product } = (await manager.call("GET", `/admin/products/${id}`)).json();
    expect(Date.parse(archived_at)).toBeGreaterThan(Date.now() - 60_000);
    expect(product).toMatchObject({ ...latte, version: 2 });
  });

  test("frees its name", async () => {
    const first = await create(latte);
    await manager.call("DELETE", `/admin/products/${first.id}`);
    const second = await create(latte);
    await manager.call("DELETE", `/admin/products/${second.id}`);
    expect(await shop.sql`select id from products where archived_at is not null`).toHaveLength(2);
  });

  test("is final: an archived product can be read but not edited", async () => {
    const { id } = await create(latte);
    await manager.call("DELETE", `/admin/products/${id}`);
    for (const call of [
      () => manager.call("PUT", `/admin/products/${id}`, { body: latte }),
      () => manager.call("PATCH", `/admin/products/${id}`, { body: { name: "Mocha" } }),
      () => manager.call("DELETE", `/admin/products/${id}`),
    ])
      await expectRefusal(call, 404, "not_found");
  });
});

describe("a product's name", () => {
  test("is unique regardless of case and surrounding blanks", async () => {
    await create(latte);
    await create({ ...latte, name: "Café Crème" });
    const { id } = await create({ ...latte, name: "Mocha" });
    for (const call of [
      () => manager.call("POST", "/admin/products", { body: { ...latte, name: "CAFÉ CRÈME" } }),
      () => manager.call("POST", "/admin/products", { body: { ...latte, name: " LATTE " } }),
      () => manager.call("PATCH", `/admin/products/${id}`, { body: { name: "latte" } }),
      () => manager.call("PUT", `/admin/products/${id}`, { body: { ...latte, name: "lattE" } }),
    ])
      await expectRefusal(call, 409, "name_taken");
  });

  test("goes to exactly one of several concurrent requests", async () => {
    const answers = await Promise.all(
      ["Latte", "latte", "LATTE", "lAtTe"].map((name) =>
        manager.call("POST", "/admin/products", { body: { ...latte, name } }),
      ),
    );
    const rejected = answers.filter(({ statusCode }) => statusCode !== 201);
    expect(rejected).toHaveLength(3);
    for (const answer of rejected) expectProblem(answer, 409, "name_taken");
    expect(await shop.sql`select id from products`).toHaveLength(1);
    expect(await shop.sql`select id from variations`).toHaveLength(2);
    expect(await menuChanges()).toHaveLength(1);
  });
});

describe("a body is rejected", () => {
  const price = (value: unknown) => ({ ...latte, base_price_cents: value });
  const variation = (fields: object) => ({
    ...latte,
    variations: [{ name: "Small", price_change_cents: 0, ...fields }],
  });
  const groups = (...rows: object[]) => ({ ...latte, option_groups: rows.map(group) });
  const option = (fields: object) => groups({ options: [{ name: "Oat", price_change_cents: 0, ...fields }] });
  const twice = (a: string, b: string) => [a, b].map((name) => ({ name, price_change_cents: 0 }));
  const negative = many(3, { price_change_cents: -50 });

  const rejected: [title: string, body: unknown, ...paths: string[]][] = [
    ["without a name", { ...latte, name: undefined }, "/name"],
    ["with a blank name", { ...latte, name: " \t " }, "/name"],
    ["with an empty name", { ...latte, name: "" }, "/name"],
    ["with a name of 101 characters", { ...latte, name: "n".repeat(101) }, "/name"],
    ["with a NUL in the name", { ...latte, name: "La\0tte" }, "/name"],
    ["with half a character in the name", { ...latte, name: "La\ud83dtte" }, "/name"],
    ["with a NUL in the description", { ...latte, description: "\0" }, "/description"],
    ["with a description over 2,000 characters", { ...latte, description: "d".repeat(2001) }, "/description"],
    ["with null for a name", { ...latte, name: null }, "/name"],
    ["with a number for a name", { ...latte, name: 7 }, "/name"],
    ["with a price over the bound", price(100_001), "/base_price_cents"],
    ["with a price below 0", price(-1), "/base_price_cents"],
    ["with a broken price", price(1.5), "/base_price_cents"],
    ["with text for a price", price("400"), "/base_price_cents"],
    ["with null for a price", price(null), "/base_price_cents"],
    ["with true for a price", price(true), "/base_price_cents"],
    ...[100_001, -100_001, 1.5, "400", null].flatMap((price_change_cents): typeof rejected => [
      [
        `with ${JSON.stringify(price_change_cents)} for a variation's price`,
        variation({ price_change_cents }),
        "/variations/0/price_change_cents",
      ],
      [
        `with ${JSON.stringify(price_change_cents)} for an option's price`,
        option({ price_change_cents }),
        "/option_groups/0/options/0/price_change_cents",
      ],
    ]),
    ["with an unknown key", { ...latte, price: 400 }, "/price"],
    ["with a key that only answers have", { ...latte, version: 1 }, "/version"],
    ["with an unknown key in a variation", variation({ colour: "red" }), "/variations/0/colour"],
    ["with an unknown key in a group", groups({ required: true }), "/option_groups/0/required"],
    ["with an unknown key in an option", option({ vegan: true }), "/option_groups/0/options/0/vegan"],
    ["with null for variations", { ...latte, variations: null }, "/variations"],
    ["with null for option groups", { ...latte, option_groups: null }, "/option_groups"],
    ["with an object for variations", { ...latte, variations: {} }, "/variations"],
    ["with 51 variations", { ...latte, variations: many(51, { price_change_cents: 0 }) }, "/variations"],
    ["with 21 groups", { ...latte, option_groups: many(21, {}).map(group) }, "/option_groups"],
    [
      "with 21 options in a group",
      groups({ options: many(21, { price_change_cents: 0 }) }),
      "/option_groups/0/options",
    ],
    ["with min over max", groups({ min_select: 2, options: negative }), "/option_groups/0/min_select"],
    [
      "with min over the number of options",
      groups({ min_select: 2, max_select: 2 }),
      "/option_groups/0/min_select",
    ],
    ["with min below 0", groups({ min_select: -1 }), "/option_groups/0/min_select"],
    ["with max 0", groups({ max_select: 0 }), "/option_groups/0/max_select"],
    ["with a group without min", groups({ min_select: undefined }), "/option_groups/0/min_select"],
    ["with a blank variation", variation({ name: " " }), "/variations/0/name"],
    ["with a NUL in an option", option({ name: "\0" }), "/option_groups/0/options/0/name"],
    ["with a variation twice", { ...latte, variations: twice("Small", " SMALL ") }, "/variations/1/name"],
    ["with a group twice", groups({ name: "Milk" }, { name: "milk " }), "/option_groups/1/name"],
    [
      "with an option twice in its group",
      groups({ options: twice("Oat", "OAT") }),
      "/option_groups/0/options/1/name",
    ],
    ["with a variation that costs less than 0", variation({ price_change_cents: -401 }), "/base_price_cents"],
    [
      "with options that cost less than 0 together",
      { ...groups({ max_select: 3, options: negative }), base_price_cents: 149 },
      "/base_price_cents",
    ],
    [
      "with a required option that costs less than 0",
      { ...groups({ min_select: 1, options: negative }), base_price_cents: 49 },
      "/base_price_cents",
    ],
    [
      "with a variation and options of two groups that cost less than 0 together",
      {
        ...groups({ name: "One", options: negative }, { name: "Two", options: negative }),
        variations: [
          { name: "Dear", price_change_cents: 900 },
          { name: "Cheap", price_change_cents: -301 },
        ],
      },
      "/base_price_cents",
    ],
    ["with a new row's id", variation({ id: uuidv7() }), "/variations/0/id"],
    ["with an id that is no UUID", variation({ id: "1" }), "/variations/0/id"],
    ["with null for an id", variation({ id: null }), "/variations/0/id"],
    ["with an unknown category", { ...latte, category_id: uuidv7() }, "/category_id"],
    ["with a category that is no UUID", { ...latte, category_id: "Coffee" }, "/category_id"],
    ...["javascript:alert(1)", "data:image/png;base64,AA==", "latte.png", "https:// x", ""].map(
      (image_url): (typeof rejected)[number] => [
        `with the image ${JSON.stringify(image_url)}`,
        { ...latte, image_url },
        "/image_url",
      ],
    ),
    [
      "with every bad field named",
      { ...latte, name: "", base_price_cents: "1", variations: [{ name: "Small" }], colour: "red" },
      "/base_price_cents",
      "/colour",
      "/name",
      "/variations/0/price_change_cents",
    ],
    ["that is a list", [latte], ""],
    ["that is null", null, ""],
  ];

  test.each(rejected)("%s", async (_title, body, ...paths) => {
    const { id } = await create({ name: "Espresso", base_price_cents: 250 });
    const headers = { "content-type": "application/json" };
    for (const [method, path] of [
      ["POST", "/admin/products"],
      ["PUT", `/admin/products/${id}`],
    ] as const) {
      const problem = await expectRefusal(
        () => manager.call(method, path, { payload: JSON.stringify(body), headers }),
        400,
        "validation_failed",
      );
      expect(rejectedPaths(problem)?.sort()).toEqual(paths);
    }
  });

  test("with an archived category", async () => {
    const category_id = await makeCategory({ archived: true });
    const { id } = await create({ name: "Espresso", base_price_cents: 250 });
    for (const call of [
      () => manager.call("POST", "/admin/products", { body: { ...latte, category_id } }),
      () => manager.call("PUT", `/admin/products/${id}`, { body: { ...latte, category_id } }),
      () => manager.call("PATCH", `/admin/products/${id}`, { body: { category_id } }),
    ]) {
      const problem = await expectRefusal(call, 400, "validation_failed");
      expect(rejectedPaths(problem)).toEqual(["/category_id"]);
    }
  });

  test("with a category that is being archived", async () => {
    const category_id = await makeCategory();
    const pending = await shop.sql.begin(async (tx) => {
      await tx`update categories set archived_at = now() where id = ${category_id}`;
      const response = manager.call("POST", "/admin/products", { body: { ...latte, category_id } });
      await eventually(async () => {
        const waiting = await shop.sql`
          select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
        return waiting.length > 0;
      });
      return { response };
    });
    expectProblem(await pending.response, 400, "validation_failed");
    expect(await shop.sql`select id from products`).toEqual([]);
  });

  test.each([
    ["an empty one", {}],
    ["null for a name", { name: null }],
    ["an unknown key", { name: "Mocha", price: 1 }],
    [
      "a duplicate name in a list",
      { variations: [...latte.variations, { name: "small", price_change_cents: 0 }] },
    ],
  ])("by PATCH: %s", async (_title, body) => {
    const { id } = await create(latte);
    await expectRefusal(
      () => manager.call("PATCH", `/admin/products/${id}`, { body }),
      400,
      "validation_failed",
    );
  });
});

describe("the guard", () => {
  const operations: [method: Parameters<Call>[0], path: string][] = [
    ["GET", "/admin/products"],
    ["POST", "/admin/products"],
    ["GET", "/admin/products/{id}"],
    ["PATCH", "/admin/products/{id}"],
    ["PUT", "/admin/products/{id}"],
    ["DELETE", "/admin/products/{id}"],
  ];

  test.each(operations)("%s %s is for managers only", async (method, template) => {
    const { id } = await create(latte);
    const body = method === "POST" || method === "PUT" ? { ...latte, name: "Mocha" } : { name: "Mocha" };
    const options = method === "GET" || method === "DELETE" ? {} : { body };
    const path = template.replace("{id}", id);
    const [customer, barista] = [await shop.as("customer"), await shop.as("barista")];

    const before = await catalogRows();
    const unknown = await shop.call(method, path, options);
    expectProblem(unknown, 401, "unauthorized");
    expect(unknown.headers["www-authenticate"]).toBe("Bearer");
    for (const { call } of [customer, barista]) {
      const response = await call(method, path, options);
      expectProblem(response, 403, "forbidden");
      expect(response.headers["cache-control"]).toBe("no-store");
    }
    expect(await catalogRows()).toEqual(before);

    expect((await manager.call(method, path, options)).statusCode).toBeLessThan(300);
  });

  test.each(operations)("%s %s checks token and role before the input", async (method, template) => {
    const path = `${template.replace("{id}", "no-uuid")}?limit=0`;
    const options = method === "GET" || method === "DELETE" ? {} : { body: { colour: "red" } };
    const barista = await shop.as("barista");
    expectProblem(await shop.call(method, path, options), 401, "unauthorized");
    expectProblem(await barista.call(method, path, options), 403, "forbidden");
    expectProblem(await manager.call(method, path, options), 400, "validation_failed");
  });

  test.each([
    ["no-uuid", 400, "validation_failed"],
    ["123", 400, "validation_failed"],
    ["me", 400, "validation_failed"],
    ["%00", 400, "validation_failed"],
    ["0190163d-8694-739b-aea5-966c26f8ad91", 404, "not_found"],
  ] as const)("the id %s is rejected by every verb", async (id, status, code) => {
    const path = `/admin/products/${id}`;
    await create(latte);
    for (const call of [
      () => manager.call("GET", path),
      () => manager.call("PATCH", path, { body: { name: "Mocha" } }),
      () => manager.call("PUT", path, { body: latte }),
      () => manager.call("DELETE", path),
    ])
      await expectRefusal(call, status, code);
  });
});

describe("the list", () => {
  const list = async (query = "") => {
    const response = await manager.call("GET", `/admin/products${query}`);
    expect(response.statusCode, response.body).toBe(200);
    return response.json();
  };

  test("has whole products, newest first, and is never stored", async () => {
    const products = [];
    for (const name of ["First", "Second", "Third"]) products.push(await create({ ...latte, name }));
    const response = await manager.call("GET", "/admin/products");
    expect(response.json()).toEqual({ items: products.reverse(), next_cursor: null });
    expect(response.headers["cache-control"]).toBe("no-store");
  });

  test("has 20 products by default", async () => {
    for (let i = 0; i < 21; i++) await makeProduct(shop.sql);
    const page = await list();
    expect(page.items).toHaveLength(20);
    expect(page.next_cursor).toEqual(expect.any(String));
    expect((await list("?limit=100")).items).toHaveLength(21);
  });

  test.each([1, 2, 3, 7])("in pages of %i has each product once, newest first", async (limit) => {
    const made = [];
    for (let i = 0; i < 7; i++) made.unshift((await makeProduct(shop.sql)).id);
    const visited: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await list(`?limit=${limit}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
      expect(page.items.length).toBeGreaterThan(0);
      visited.push(...ids(page.items));
      cursor = page.next_cursor;
    } while (cursor);
    expect(visited).toEqual(made);
  });

  test("omits products created between two pages", async () => {
    const [second, first] = [await makeProduct(shop.sql), await makeProduct(shop.sql)];
    const page = await list("?limit=1");
    await makeProduct(shop.sql);
    expect(ids(page.items)).toEqual([first.id]);
    expect(ids((await list(`?limit=1&cursor=${page.next_cursor}`)).items)).toEqual([second.id]);
  });

  test("has archived products on request", async () => {
    const [kept, gone] = [await makeProduct(shop.sql), await makeProduct(shop.sql)];
    await manager.call("DELETE", `/admin/products/${gone.id}`);
    expect(ids((await list()).items)).toEqual([kept.id]);
    expect(ids((await list("?archived=false")).items)).toEqual([kept.id]);
    expect(ids((await list("?archived=true")).items)).toEqual([gone.id]);
  });

  test("filters by category", async () => {
    const category_id = await makeCategory();
    const inside = await makeProduct(shop.sql, { category_id });
    await makeProduct(shop.sql);
    expect(ids((await list(`?category_id=${category_id}`)).items)).toEqual([inside.id]);
    expect(await list(`?category_id=${uuidv7()}`)).toEqual({ items: [], next_cursor: null });
  });

  test("finds part of a name regardless of case, and has no wildcards", async () => {
    for (const name of ["Iced Latte", "Espresso", "100% Arabica", "O'Brien_Mocha\\"])
      await create({ name, base_price_cents: 400 });
    const found = async (q: string) => names((await list(`?q=${encodeURIComponent(q)}`)).items);
    expect(await found("LATT")).toEqual(["Iced Latte"]);
    expect(await found("%")).toEqual(["100% Arabica"]);
    expect(await found("_")).toEqual(["O'Brien_Mocha\\"]);
    expect(await found("o'b")).toEqual(["O'Brien_Mocha\\"]);
    expect(await found("\\")).toEqual(["O'Brien_Mocha\\"]);
    expect(await found("tea")).toEqual([]);
  });

  test("combines its filters, on every page", async () => {
    const category_id = await makeCategory();
    for (const name of ["Latte 1", "Mocha", "Latte 2"])
      await create({ name, base_price_cents: 400, category_id });
    await create({ name: "Latte 3", base_price_cents: 400 });
    const query = `?limit=1&q=latte&category_id=${category_id}`;
    const first = await list(query);
    const second = await list(`${query}&cursor=${first.next_cursor}`);
    expect(names([...first.items, ...second.items])).toEqual(["Latte 2", "Latte 1"]);
    expect(second.next_cursor).toBeNull();
  });

  test.each([
    "limit=0",
    "limit=101",
    "limit=-1",
    "limit=1.5",
    "limit=ten",
    "limit=",
    "limit=1&limit=2",
    "archived=1",
    "archived=",
    "category_id=coffee",
    "category_id=",
    "q=%00",
    `q=${"q".repeat(101)}`,
  ])("rejects ?%s", async (query) => {
    const problem = expectProblem(
      await manager.call("GET", `/admin/products?${query}`),
      400,
      "validation_failed",
    );
    expect(rejectedPaths(problem)).toEqual([`/${query.split("=")[0]}`]);
  });

  test.each([
    ["nonsense", "nonsense"],
    ["nothing", ""],
    ["an id as it is", uuidv7()],
    ["an encoded nonsense", Buffer.from("1; drop table products").toString("base64url")],
  ])("rejects a cursor of %s", async (_title, cursor) => {
    expectProblem(await manager.call("GET", `/admin/products?cursor=${cursor}`), 400, "invalid_cursor");
  });
});

test("each edit inserts one menu.changed event", async () => {
  const { id } = await create(latte);
  await edit("PATCH", id, { description: "With milk" });
  await edit("PUT", id, latte);
  await manager.call("DELETE", `/admin/products/${id}`);
  expect(await menuChanges()).toEqual(Array(4).fill({ subject_id: id, data: { product_id: id }, seq: null }));
  expect(await shop.sql`select id from events`).toHaveLength(4);
});

test("private responses are never stored", async () => {
  const { id } = await create(latte);
  for (const response of [
    await manager.call("GET", `/admin/products/${id}`),
    await manager.call("PATCH", `/admin/products/${id}`, { body: { name: "Mocha" } }),
    await manager.call("PUT", `/admin/products/${id}`, { body: latte }),
    await manager.call("PUT", `/admin/products/${id}`, { body: {} }),
    await manager.call("GET", `/admin/products/${uuidv7()}`),
  ])
    expect(response.headers["cache-control"]).toBe("no-store");
});
