import { readFile } from "node:fs/promises";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Product } from "../../src/catalog/schemas.ts";
// @ts-expect-error The page's modules are checked with their own settings.
import { splitCsv } from "../../src/staff-page/admin/csv.js";
import {
  dropFile,
  expectAccessible,
  expectNothingCutOff,
  noBrowser,
  type Page,
  phone,
  screenshot,
  signIn,
  testBrowser,
  type Visit,
} from "./browser.ts";
import { testMorning } from "./shop.ts";

const header = "name,category,description,base_price_cents,image_url,variations";

test("a file is split for the eye as the service splits it", () => {
  const quoted = fc
    .string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r", " ", "é") })
    .map((text) => `"${text.replaceAll('"', '""')}"`);
  const cell = fc.oneof(quoted, fc.string({ unit: fc.constantFrom("b", " ", ":", "|"), maxLength: 3 }));
  const line = fc.array(cell, { minLength: 1, maxLength: 4 }).map((cells) => cells.join(","));
  fc.assert(
    fc.property(
      fc.array(line),
      fc.constantFrom("\n", "\r\n", "\r"),
      fc.boolean(),
      fc.boolean(),
      (lines, end, bom, ended) => {
        const text = (bom ? "\uFEFF" : "") + lines.join(end) + (ended ? end : "");
        const asTheService = parse(text, {
          bom: true,
          record_delimiter: ["\r\n", "\n", "\r"],
          relax_column_count: true,
          skip_empty_lines: true,
        });
        expect(splitCsv(text)).toEqual(asTheService);
      },
    ),
  );
});

describe.skipIf(noBrowser)("the admin views: import", () => {
  const shop = testMorning();
  const { visit } = testBrowser();
  let admin: Visit;
  let page: Page;

  beforeAll(async () => {
    admin = await visit(shop.url);
    page = admin.page;
    await signIn(page, shop.manager.email, shop.manager.password);
    await page.getByRole("link", { name: "Import" }).click();
    await page.getByRole("heading", { name: "Import" }).waitFor();
  });
  afterEach(async () => {
    await page.unrouteAll();
    expect(admin.complaints).toEqual([]);
  });

  const choose = (text: string | Buffer, mimeType = "text/csv", name = "spring.csv") =>
    page.getByLabel("Choose a CSV file").setInputFiles({ name, mimeType, buffer: Buffer.from(text) });
  const file = (...rows: string[]) => [header, ...rows].join("\r\n");
  const product = async (q: string) =>
    (await shop.call<{ items: Product[] }>(shop.manager, "GET", `/admin/products?q=${q}`)).items[0];
  const state = () => shop.sql`select id, version, name from products order by id`;
  const row = (number: number) =>
    page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: String(number), exact: true }) });

  test("a file is tried first, shown as it will be read, and imported when it was meant", async () => {
    const before = await state();
    await expectAccessible(page);
    await screenshot(page, "import-desk");
    // As a spreadsheet on Windows names the kind of such a file.
    await choose(
      file('Mocha,Seasonal,"Dark, ""with"" cream",480,,Small:-50|Large:+80', "LATTE,,,425,,"),
      "application/vnd.ms-excel",
    );
    const result = page.getByRole("status").filter({ hasText: "spring.csv can be imported" });
    await result.waitFor();
    expect((await result.locator("dl").innerText()).split(/\s*\n\s*/)).toEqual([
      "Rows",
      "2",
      "New products",
      "1",
      "Changed",
      "1",
    ]);
    expect(await row(1).getByRole("cell").allInnerTexts()).toEqual([
      "Mocha",
      "Seasonal",
      'Dark, "with" cream',
      "480",
      "",
      "Small:-50|Large:+80",
    ]);
    await expectAccessible(page);
    await screenshot(page, "import-tried-desk");
    expect(await state()).toEqual(before);

    await page.route("**/admin/products/import**", (route) => route.abort("connectionrefused"));
    await page.getByRole("button", { name: "Import 2 rows" }).click();
    await page.getByText("The service is unreachable").waitFor();
    await page.unrouteAll();
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("heading", { name: "spring.csv is imported" }).waitFor();
    expect(await product("Mocha")).toMatchObject({
      description: 'Dark, "with" cream',
      base_price_cents: 480,
      variations: [
        { name: "Small", price_change_cents: -50 },
        { name: "Large", price_change_cents: 80 },
      ],
    });
    expect(await product("Latte")).toMatchObject({ base_price_cents: 425, variations: { length: 3 } });
    await page.getByRole("link", { name: "Look at the products" }).click();
    await page.getByRole("rowheader", { name: "Mocha" }).waitFor();
    await page.getByRole("link", { name: "Import" }).click();
  });

  test("what is refused stands in its cell, and nothing of the file is imported", async () => {
    const before = await state();
    await choose(
      file(
        "Chai,Seasonal,,450,,",
        "=SUM(A1),Coffee,,12,,",
        '"Tea\nand milk",Drinks,,4.50,not a link,Small:x|:3',
        "Short,row",
        "chai,,,100000000,,",
      ),
    );
    await page.getByText("4 rows are refused; nothing is imported.").waitFor();
    await row(2).getByText("Expected a name that a spreadsheet does not run").waitFor();
    expect(await row(1).count()).toBe(0);
    const errors = async (number: number) =>
      row(number)
        .getByRole("cell")
        .evaluateAll((cells) =>
          cells.flatMap((cell) =>
            [...cell.querySelectorAll(".error")].map((each) => [
              cell.getAttribute("data-label"),
              each.textContent,
            ]),
          ),
        );
    expect(await errors(3)).toEqual([
      ["base_price_cents", "Please write it in cents, such as 450"],
      ["image_url", "Please enter a URL, such as https://example.com/latte"],
      ["variations", "Variation 1: Please write it in cents, such as 450"],
      ["variations", "Variation 2: Please fill this in"],
    ]);
    expect(await errors(4)).toEqual([["name", "Expected 6 cells, not 2"]]);
    expect(await errors(5)).toEqual([["base_price_cents", "At most $1,000.00"]]);
    await expectAccessible(page);
    await screenshot(page, "import-refused-desk");
    await page.getByLabel("Only the rows that are refused").uncheck();
    await row(1).waitFor();
    expect(await page.getByRole("button", { name: /^Import/ }).count()).toBe(0);
    expect(await state()).toEqual(before);
  });

  test("a file that is none says so: another header, another kind, too large, another encoding", async () => {
    const before = await state();
    await choose("name,price\nTea,3");
    await page.getByText(`Expected the header ${header}`).waitFor();
    await page.getByText("The file is refused; nothing is imported.").waitFor();
    expect(await page.getByLabel("Only the rows that are refused").count()).toBe(0);
    await choose(
      "PK\u0003\u0004",
      "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
      "spring.xlsx",
    );
    await page.getByText("This is no CSV file. In a spreadsheet").waitFor();
    await choose(`${header}\n${"Tea,,,300,,\n".repeat(200_000)}`);
    await page.getByText("The file is too large: 2 MB at most.").waitFor();
    await choose(Buffer.from(`${header}\nCaf\xe9,,,300,,`, "latin1"));
    await page.getByText("The file is not UTF-8").waitFor();
    expect(await state()).toEqual(before);
  });

  test("what became of an import is told, whatever is looked at by then", async () => {
    const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
    await page.route("**/import?dry_run=false", async (route) => {
      await gate;
      await route.continue();
    });
    await choose(file("Sencha,Seasonal,,410,,"), "text/csv", "sencha.csv");
    await page.getByRole("button", { name: "Import the row" }).click();
    await choose(file("Hojicha,Seasonal,,420,,"), "text/csv", "hojicha.csv");
    await page.getByRole("heading", { name: "hojicha.csv can be imported" }).waitFor();
    openGate();
    await page.getByText("sencha.csv is imported").waitFor();
    expect(await product("Sencha")).toMatchObject({ base_price_cents: 410 });
    await page.getByRole("heading", { name: "hojicha.csv can be imported" }).waitFor();
    await page.unrouteAll();

    await page.route("**/import?dry_run=false", async (route) => {
      await page.getByRole("link", { name: "Categories" }).click();
      await page.getByRole("rowheader", { name: "Coffee" }).waitFor();
      await route.abort("connectionrefused");
    });
    await page.getByRole("button", { name: "Import the row" }).click();
    await page.getByText("hojicha.csv: The service is unreachable.").waitFor();
    expect(await product("Hojicha")).toBeUndefined();
    await page.getByRole("link", { name: "Import" }).click();
  });

  test("the text may be pasted, and a file dropped", async () => {
    await page.getByText("Paste it instead").click();
    await page
      .getByLabel("CSV", { exact: true })
      .fill(`${header}\nTea,,${"so green ".repeat(250_000)},300,,`);
    const sent: string[] = [];
    page.on("request", (request) => sent.push(request.url()));
    await page.getByRole("button", { name: "Try it" }).click();
    await page.getByText("The file is too large: 2 MB at most.").waitFor();
    expect(sent).toEqual([]);
    await page.getByLabel("CSV", { exact: true }).fill(file("Matcha,Seasonal,,510,,"));
    await page.getByRole("button", { name: "Try it" }).click();
    await page.getByRole("heading", { name: "What you pasted can be imported" }).waitFor();
    expect(await row(1).getByRole("cell").first().innerText()).toBe("Matcha");
    expect(await product("Matcha")).toBeUndefined();
    await page.getByRole("button", { name: "Import the row" }).click();
    await page.getByRole("heading", { name: "What you pasted is imported" }).waitFor();
    expect(await product("Matcha")).toMatchObject({ base_price_cents: 510 });
    await dropFile(page.locator(".drop"), "dropped.csv", "", Buffer.from(file("Matcha,,,520,,")));
    await page.getByRole("heading", { name: "dropped.csv can be imported" }).waitFor();
    expect(await product("Matcha")).toMatchObject({ base_price_cents: 510 });
  });

  test("what is downloaded can be imported as it is", async () => {
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download all products" }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe("products.csv");
    const text = await readFile(await download.path(), "utf8");
    expect(text.split("\r\n")).toContain("Matcha,Seasonal,,510,,");
    await choose(text);
    await page.getByRole("heading", { name: "spring.csv can be imported" }).waitFor();
    const products = await shop.sql`select id from products where archived_at is null`;
    expect(await page.getByRole("rowheader").count()).toBe(products.length);
    // That the next one fails is said, and what was tried can still be imported.
    await page.route("**/export", (route) => route.abort("connectionrefused"));
    await page.getByRole("button", { name: "Download all products" }).click();
    await page.getByText("The products could not be downloaded. The service is unreachable").waitFor();
    await page.getByRole("button", { name: `Import ${products.length} rows` }).waitFor();
  });

  test("on a phone each row is a card", async () => {
    await page.setViewportSize(phone);
    await page.emulateMedia({ colorScheme: "dark" });
    await choose(file("Tea,,,three,,"));
    await page.getByText("One row is refused; nothing is imported.").waitFor();
    await screenshot(page, "import-refused-phone-dark");
    await expectAccessible(page);
    await expectNothingCutOff(page, "html");
    await expectNothingCutOff(page, ".table-frame");
  });
});
