import { beforeEach, describe, expect, test } from "vitest";
import { makeProduct } from "./factories.ts";
import { type Call, expectProblem, rowsOf, testShop } from "./harness.ts";

const shop = testShop();

let manager: Awaited<ReturnType<typeof shop.as>>;
beforeEach(async () => {
  manager = await shop.as("manager");
});

const header = "name,category,description,base_price_cents,image_url,variations";
const csv = (...lines: string[]) => [header, ...lines].join("\n");

const send = (payload: string | Buffer, { query = "", type = "text/csv", call = manager.call } = {}) =>
  call("POST", `/admin/products/import${query}`, { payload, headers: { "content-type": type } });

const sendJson = (rows: unknown, query = "") =>
  manager.call("POST", `/admin/products/import${query}`, { body: rows });

const imported = async (payload: string | Buffer, options?: Parameters<typeof send>[1]) => {
  const response = await send(payload, options);
  expect(response.statusCode, response.body).toBe(200);
  return response.json();
};

const tables = ["categories", "products", "variations", "option_groups", "options", "events"];

async function expectRefusal(call: () => ReturnType<Call>, status: number, code: string) {
  const before = await rowsOf(shop.sql, tables);
  const problem = expectProblem(await call(), status, code);
  expect(await rowsOf(shop.sql, tables)).toEqual(before);
  return problem;
}

const refuse = async (payload: string) =>
  (await expectRefusal(() => send(payload), 422, "import_failed")).errors as {
    row: number;
    path: string;
    message: string;
  }[];

const menu = async () => (await shop.call("GET", "/menu")).json();

const exported = async () => {
  const response = await manager.call("GET", "/admin/products/export");
  expect(response.statusCode, response.body).toBe(200);
  return response.body;
};

describe("an import", () => {
  test("creates products with their categories and variations", async () => {
    const result = await imported(
      csv("Latte,Coffee,With milk,400,/images/latte.png,Small:-50|Large:+80", "Muffin,Bakery,,250,,"),
    );
    expect(result).toEqual({ dry_run: false, rows: 2, created: 2, updated: 0 });
    const { categories, products } = await menu();
    const [bakery, coffee] = categories;
    expect(categories).toMatchObject([{ name: "Bakery" }, { name: "Coffee" }]);
    expect(products).toMatchObject([
      { name: "Muffin", category_id: bakery.id, description: null, base_price_cents: 250, image_url: null },
      {
        name: "Latte",
        category_id: coffee.id,
        description: "With milk",
        base_price_cents: 400,
        image_url: "/images/latte.png",
        variations: [
          { name: "Small", price_change_cents: -50 },
          { name: "Large", price_change_cents: 80 },
        ],
      },
    ]);
    const events = await shop.sql`select type, subject_id, data from events order by subject_id`;
    const ids = products.map(({ id }: { id: string }) => id).sort();
    expect(events).toEqual(
      ids.map((id: string) => ({ type: "menu.changed", subject_id: id, data: { product_id: id } })),
    );
  });

  test("updates a known product regardless of case, and keeps the values of empty cells", async () => {
    const before = await makeProduct(shop.sql, {
      name: "Latte",
      base_price_cents: 400,
      description: "With milk",
      image_url: "/images/latte.png",
      variations: [
        { name: "Small", price_change_cents: -50 },
        { name: "Large", price_change_cents: 80 },
      ],
      option_groups: [
        { name: "Milk", min_select: 0, max_select: 1, options: [{ name: "Oat", price_change_cents: 60 }] },
      ],
    });
    expect(await imported(csv("LATTE,,,,,"))).toEqual({ dry_run: false, rows: 1, created: 0, updated: 1 });
    const path = `/admin/products/${before.id}`;
    const same = (await manager.call("GET", path)).json();
    expect(same).toEqual({
      ...before,
      name: "LATTE",
      version: before.version + 1,
      updated_at: expect.any(String),
    });

    await imported(csv("latte,Coffee,,410,,large:+90|Huge:120"));
    const after = (await manager.call("GET", path)).json();
    expect(after).toMatchObject({
      name: "latte",
      description: "With milk",
      base_price_cents: 410,
      category_id: expect.any(String),
      option_groups: before.option_groups,
      variations: [
        { id: before.variations[1]!.id, name: "large", price_cents: 500 },
        { name: "Huge", price_cents: 530 },
      ],
      version: before.version + 2,
    });
    expect(await shop.sql`select name from variations where archived_at is not null`).toEqual([
      { name: "Small" },
    ]);
  });

  test("finds an existing category regardless of case", async () => {
    await imported(csv("Latte,Coffee,,400,,", "Mocha, COFFEE ,,450,,", "Tea,tea,,300,,", "Mate,Tea,,300,,"));
    const { categories, products } = await menu();
    expect(categories.map(({ name }: { name: string }) => name)).toEqual(["Coffee", "tea"]);
    const inCategory = (n: number) =>
      products.filter((product: { category_id: string }) => product.category_id === categories[n].id).length;
    expect([inCategory(0), inCategory(1)]).toEqual([2, 2]);
  });

  test("reads a byte order mark, CRLF, quotes, blank lines, and columns in another order", async () => {
    const file =
      "\ufeffbase_price_cents,name,description,category,variations,image_url\r\n" +
      '400,"Latte, large","Says ""hello""\r\nin two lines",Coffee,,\r\n' +
      "\r\n" +
      " 300 ,Crème brûlée ☕,,,,\r\n";
    expect(await imported(file, { type: "text/csv; charset=utf-8" })).toMatchObject({ rows: 2, created: 2 });
    const { products } = await menu();
    expect(products).toMatchObject([
      { name: "Latte, large", description: 'Says "hello"\r\nin two lines', base_price_cents: 400 },
      { name: "Crème brûlée ☕", base_price_cents: 300 },
    ]);
  });

  test("reads JSON with the same fields", async () => {
    const rows = [
      {
        name: "Latte",
        category: "Coffee",
        base_price_cents: 400,
        variations: [{ name: "Small", price_change_cents: -50 }],
      },
      { name: "Mocha", base_price_cents: 450, description: "", image_url: null },
    ];
    expect((await sendJson(rows)).json()).toEqual({ dry_run: false, rows: 2, created: 2, updated: 0 });
    expect((await menu()).products).toMatchObject([
      { name: "Latte", variations: [{ name: "Small" }] },
      { name: "Mocha", description: null },
    ]);
    expect((await sendJson([])).json()).toEqual({ dry_run: false, rows: 0, created: 0, updated: 0 });
    expect((await send(header)).json()).toEqual({ dry_run: false, rows: 0, created: 0, updated: 0 });
  });

  test("as a dry run returns the counts and changes nothing", async () => {
    await makeProduct(shop.sql, { name: "Latte" });
    const before = await rowsOf(shop.sql, tables);
    const query = "?dry_run=true";
    const file = csv("Latte,Coffee,New,410,,A:1", "Mocha,Coffee,,450,,");
    expect(await imported(file, { query })).toEqual({ dry_run: true, rows: 2, created: 1, updated: 1 });
    await expectRefusal(() => send(csv("Tea,,,,,"), { query }), 422, "import_failed");
    expect(await rowsOf(shop.sql, tables)).toEqual(before);
    expect(await imported(file, { query: "?dry_run=false" })).toMatchObject({ dry_run: false, created: 1 });
  });

  test("of a thousand rows takes less than two seconds, new or known", async () => {
    const lines = Array.from(
      { length: 1_000 },
      (_, n) =>
        `Product ${n},Category ${n % 20},${"Text ".repeat(20)},${n},/images/${n}.png,Small:-0|Large:+80|Huge:+160`,
    );
    for (const [created, updated] of [
      [1_000, 0],
      [0, 1_000],
    ]) {
      const began = performance.now();
      expect(await imported(csv(...lines))).toMatchObject({ rows: 1_000, created, updated });
      expect(performance.now() - began).toBeLessThan(2_000);
    }
    expect(await shop.sql`select count(*)::int from variations where archived_at is null`).toEqual([
      { count: 3_000 },
    ]);
    expect((await menu()).products).toHaveLength(1_000);
  });

  test("concurrent with another one of the same names creates each product once", async () => {
    const file = csv(...Array.from({ length: 50 }, (_, n) => `Product ${n},Category ${n % 5},,100,,A:1`));
    const results = await Promise.all([imported(file), imported(file), imported(file)]);
    expect(results.map(({ created }) => created).sort()).toEqual([0, 0, 50]);
    expect((await menu()).categories).toHaveLength(5);
  });
});

describe("a whole import is rejected for", () => {
  const good = "Mocha,Coffee,,450,,";

  test.each<[string, string, string]>([
    ["no name", ",,,400,,", "/name"],
    ["a blank name", "  ,,,400,,", "/name"],
    ["a name that is a formula", '"=HYPERLINK(""http://x"")",,,400,,', "/name"],
    ["a name that begins with +", "+1,,,400,,", "/name"],
    ["a name that begins with -", "-1,,,400,,", "/name"],
    ["a name that begins with @", "@SUM,,,400,,", "/name"],
    ["a name that begins with a tab", "\tLatte,,,400,,", "/name"],
    ["a name with NUL", "La\0tte,,,400,,", "/name"],
    ["a variation with NUL", "Latte,,,400,,Sm\0all:0", "/variations/0/name"],
    ["a formula behind a blank", " =1+1,,,400,,", "/name"],
    ["a name of 101 characters", `${"n".repeat(101)},,,400,,`, "/name"],
    ["a cell of 10,000 characters", `Latte,,${"d".repeat(10_000)},400,,`, "/description"],
    ["a name of 10,000 characters", `${"n".repeat(10_000)},,,400,,`, "/name"],
    ["no price for a new product", "Latte,,,,,", "/base_price_cents"],
    ["a price that is a word", "Latte,,,much,,", "/base_price_cents"],
    ["a price with a fraction", "Latte,,,4.50,,", "/base_price_cents"],
    ["a negative price", "Latte,,,-1,,", "/base_price_cents"],
    ["a price over 100,000 cents", "Latte,,,100001,,", "/base_price_cents"],
    ["a script as a picture", "Latte,,,400,javascript:alert(1),", "/image_url"],
    ["a variation without a price", "Latte,,,400,,Small", "/variations/0/price_change_cents"],
    ["a variation whose price is a word", "Latte,,,400,,Small:less", "/variations/0/price_change_cents"],
    [
      "a variation over 100,000 cents",
      "Latte,,,400,,Small:0|Large:+100001",
      "/variations/1/price_change_cents",
    ],
    ["a variation without a name", "Latte,,,400,,:50", "/variations/0/name"],
    ["a variation twice", "Latte,,,400,,Small:0|small:1", "/variations/1/name"],
    ["a variation that makes it cheaper than nothing", "Latte,,,400,,Small:-401", "/base_price_cents"],
    [
      "51 variations",
      `Latte,,,400,,${Array.from({ length: 51 }, (_, n) => `V${n}:0`).join("|")}`,
      "/variations",
    ],
    ["a name that is in the file already", "MOCHA,,,400,,", "/name"],
    ["too few cells", "Latte,Coffee,400", ""],
    ["too many cells", "Latte,Coffee,,400,,,", ""],
  ])("%s", async (_title, line, path) => {
    const errors = await refuse(csv(good, line));
    expect(errors.find((error) => error.path === path)).toMatchObject({
      row: 2,
      message: expect.any(String),
    });
    expect(errors.every(({ row }) => row === 2)).toBe(true);
  });

  test("a price that a known product's options would reduce below 0", async () => {
    await makeProduct(shop.sql, {
      name: "Cup",
      base_price_cents: 100,
      option_groups: [
        { name: "Own", min_select: 0, max_select: 1, options: [{ name: "Cup", price_change_cents: -60 }] },
      ],
    });
    expect(await refuse(csv(good, "Cup,,,50,,"))).toMatchObject([{ row: 2, path: "/base_price_cents" }]);
  });

  test("every bad row at once, with its column", async () => {
    const errors = await refuse(csv("=1,,,x,,", good, "Latte,,,,ftp://x,", "Tea,,,-1,,"));
    expect(errors.map(({ row, path }) => `${row} ${path}`)).toEqual([
      "1 /name",
      "1 /base_price_cents",
      "3 /image_url",
      "4 /base_price_cents",
    ]);
  });

  test.each<[string, string, string]>([
    ["no header", "Latte,Coffee,,400,,", "/name"],
    [
      "a header that lacks a column",
      `${header.replace("description,", "")}\nLatte,Coffee,400,,`,
      "/description",
    ],
    ["a header with one more", `${header},colour\nLatte,Coffee,,400,,,red`, ""],
    ["a column twice", `${header},name\nLatte,Coffee,,400,,,x`, ""],
    ["semicolons", `${header.replaceAll(",", ";")}\nLatte;Coffee;;400;;`, "/name"],
    ["a header with NUL", `na\0${header.slice(2)}\nLatte,Coffee,,400,,`, "/name"],
    ["nothing", " ", "/name"],
  ])("%s", async (_title, file, path) => {
    expect(await refuse(file)).toMatchObject([{ row: 0, path }]);
  });

  test("an unterminated quote", async () => {
    expect(await refuse(csv(good, '"Latte,,,400,,'))).toMatchObject([{ row: 2, path: "" }]);
  });

  test("1,001 rows", async () => {
    const errors = await refuse(csv(...Array.from({ length: 1_001 }, (_, n) => `Product ${n},,,100,,`)));
    expect(errors).toMatchObject([{ row: 1_001 }]);
  });

  test("more than 2 MiB, text that is not UTF-8, and another kind of body", async () => {
    const large = csv(...Array.from({ length: 1_000 }, (_, n) => `Product ${n},,${"d".repeat(2_200)},100,,`));
    await expectRefusal(() => send(large), 413, "body_too_large");
    await expectRefusal(() => send(Buffer.from("ff", "hex")), 400, "validation_failed");
    await expectRefusal(() => send(`"${header}"`, { type: "application/json" }), 400, "validation_failed");
    await expectRefusal(() => send("{}", { type: "application/json" }), 400, "validation_failed");
    await expectRefusal(() => send("<a/>", { type: "text/xml" }), 415, "unsupported_media_type");
    await expectRefusal(() => manager.call("POST", "/admin/products/import"), 415, "unsupported_media_type");
    await expectRefusal(() => send(csv(good), { query: "?dry_run=maybe" }), 400, "validation_failed");
  });

  test("bad rows of JSON", async () => {
    const rows = [
      { name: "Latte", base_price_cents: "400" },
      { name: "Mocha", base_price_cents: 400, colour: "brown" },
      { name: "=1", base_price_cents: 1 },
      "Tea",
      { name: "Tea", base_price_cents: 1, variations: "Small:1" },
      { name: "Mate", base_price_cents: 1, variations: [{ name: "Small", price_change_cents: 1, id: "x" }] },
    ];
    const { errors } = await expectRefusal(() => sendJson(rows), 422, "import_failed");
    expect(errors.map(({ row, path }: { row: number; path: string }) => `${row} ${path}`)).toEqual(
      expect.arrayContaining([
        "1 /base_price_cents",
        "2 /colour",
        "3 /name",
        "4 ",
        "5 /variations",
        "6 /variations/0/id",
      ]),
    );
  });

  test("users other than managers", async () => {
    for (const role of ["customer", "barista"] as const) {
      const { call } = await shop.as(role);
      await expectRefusal(() => send(csv(good), { call }), 403, "forbidden");
      await expectRefusal(() => call("GET", "/admin/products/export"), 403, "forbidden");
    }
    await expectRefusal(() => send(csv(good), { call: shop.call }), 401, "unauthorized");
  });
});

describe("an export", () => {
  const shape = async () => {
    const { categories, products } = await menu();
    const nameOf = new Map(categories.map(({ id, name }: { id: string; name: string }) => [id, name]));
    return products.map(({ category_id, ...product }: { category_id: string }) => ({
      ...product,
      category: nameOf.get(category_id),
    }));
  };

  test("has the import's form, oldest first", async () => {
    const file = csv(
      '"Latte, large",Coffee,"Says ""hello""",400,/images/l.png,Small:-50|Large:+80|Cup:0',
      "Tea,,,300,,",
    );
    await imported(file);
    expect(await exported()).toBe(`${file.replaceAll("\n", "\r\n")}\r\n`);
    const response = await manager.call("GET", "/admin/products/export");
    expect(response.headers).toMatchObject({
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": 'attachment; filename="products.csv"',
      "cache-control": "no-store",
    });
  });

  test("of an empty shop is the header", async () => {
    expect(await exported()).toBe(`${header}\r\n`);
  });

  test("can be imported unchanged, and then changes only versions", async () => {
    const variations = ["a|b", "c\\d", "e\\|f", "g:h:1", "-i", "x\\"].map((name, n) => ({
      name,
      price_change_cents: n,
    }));
    await makeProduct(shop.sql, { name: "=1+1", description: "@all", variations });
    await makeProduct(shop.sql, { name: "'=quoted", description: "''-x" });
    await makeProduct(shop.sql, { name: "-5 %", description: 'two\r\nlines, "and" a\ttab' });
    await makeProduct(shop.sql, { name: "Plain", description: " blanks " });
    const [before, file] = [await shape(), await exported()];
    expect(await imported(file)).toEqual({ dry_run: false, rows: 4, created: 0, updated: 4 });
    expect(await shape()).toEqual(before);
    expect(await exported()).toBe(file);
  });

  test("has no cell that a spreadsheet would run as a formula", async () => {
    const nasty = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1"];
    for (const [n, text] of nasty.entries())
      await makeProduct(shop.sql, {
        name: `${text.trim()} ${n}`,
        description: text,
        variations: [{ name: text.trim(), price_change_cents: 0 }],
      });
    const body = (await exported()).slice(header.length + 2);
    for (const line of body.trim().split("\r\n"))
      for (const cell of line.split(",")) expect(cell).not.toMatch(/^"?[=+\-@\t\r]/);
  });
});
