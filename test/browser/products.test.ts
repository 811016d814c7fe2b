import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Product } from "../../src/catalog/schemas.ts";
import { eventually } from "../harness.ts";
import { png } from "../picture.ts";
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
import { catalog, testMorning } from "./shop.ts";

describe.skipIf(noBrowser)("the admin views: products", () => {
  const shop = testMorning();
  const { visit } = testBrowser();
  let admin: Visit;
  let page: Page;

  beforeAll(async () => {
    admin = await visit(shop.url);
    page = admin.page;
    await signIn(page, shop.manager.email, shop.manager.password);
    await page.getByRole("link", { name: "Products" }).click();
  });
  afterEach(async () => {
    await page.unrouteAll();
    expect(admin.complaints).toEqual([]);
  });

  const goTo = (path: string, on = page) => on.evaluate(`location.hash = "#${path}"`);
  const open = async (id: string) => {
    await goTo(`/products/${id}`);
    await page.getByRole("button", { name: "Save" }).waitFor();
  };
  const save = () => page.getByRole("button", { name: "Save" }).click();
  const saved = (name: string) => page.getByText(`${name} is saved`).first().waitFor();
  const field = (label: string) =>
    page.locator("input, select, textarea").and(page.getByLabel(label, { exact: true }));
  const row = (name: string) => page.getByRole("group", { name, exact: true });
  const read = (id: string) => shop.call<Product>(shop.manager, "GET", `/admin/products/${id}`);
  const change = (id: string, body: object) =>
    shop.call<Product>(shop.manager, "PATCH", `/admin/products/${id}`, body);
  const names = () => page.getByRole("rowheader").allInnerTexts();
  const countOf = async (name: string) =>
    (await shop.sql<{ count: number }[]>`select count(*)::int from products where name = ${name}`)[0]!.count;

  test("they are found by name, by category, and archived ones apart", async () => {
    await shop.call(shop.manager, "POST", "/admin/products", { name: "Old Brew", base_price_cents: 100 });
    await shop.sql`update products set archived_at = now() where name = 'Old Brew'`;
    const latte = catalog.latte.product_id;
    await shop.call(shop.manager, "PUT", `/admin/products/${latte}/availability`, { available: false });
    await page.reload();
    await page.getByRole("row", { name: "Latte Coffee $4.30 – $4.50 Sold out" }).waitFor();
    await page.getByRole("row", { name: "Flat White Coffee $4.20 – $5.00 Available" }).waitFor();
    await screenshot(page, "products-desk");
    await expectAccessible(page);
    await shop.call(shop.manager, "PUT", `/admin/products/${latte}/availability`, { available: true });

    await page.getByLabel("Find by name").fill("ATZ");
    await page.getByText("No products found.").waitFor();
    await page.getByLabel("Find by name").fill("ATT");
    await page.getByRole("rowheader", { name: "Latte" }).waitFor();
    expect(await names()).toHaveLength(1);
    await page.getByLabel("Category").selectOption("Bakery");
    await page.getByText("No products found.").waitFor();
    await page.getByLabel("Find by name").fill("");
    await page.getByRole("rowheader", { name: "Donuts" }).click();
    await page.getByRole("heading", { name: "Donuts" }).waitFor();
    // Back in the list as it was.
    await page.getByRole("link", { name: "All products" }).click();
    await page.getByRole("rowheader", { name: "Donuts" }).waitFor();
    expect(await names()).toHaveLength(1);
    await page.getByLabel("Category").selectOption("All categories");
    await page.getByLabel("On the menu or archived").selectOption("Archived");
    await page.getByRole("rowheader", { name: "Old Brew" }).waitFor();
    expect(await names()).toHaveLength(1);
    // What is looked for is what the fields say, by whatever way one came.
    await page.getByLabel("Find by name").fill("brew");
    await page.waitForURL("**/admin#/products?*q=brew*");
    await page.getByRole("link", { name: "Products" }).click();
    await page.getByRole("rowheader", { name: "Latte" }).waitFor();
    expect(await page.getByLabel("Find by name").inputValue()).toBe("");
  });

  test("one is made with all that is below it; each refusal stands at the very field, and goes where its row goes", async () => {
    await goTo("/products");
    await page.getByRole("link", { name: "New product" }).click();
    await page.getByRole("heading", { name: "New product" }).waitFor();
    await field("Price").fill("four");
    for (const name of ["Small", "  ", "small"]) {
      await page.getByRole("button", { name: "Add variation" }).click();
      await page.locator("input:focus").fill(name);
    }
    await row("variation 1").getByLabel("Price").fill("-0,50");
    await row("variation 3").getByLabel("Price").fill("1.2.3");
    await page.getByRole("button", { name: "Add group" }).click();
    await page.locator("input:focus").fill("Milk");
    await row("group 1").getByLabel("At most").fill("some");
    await row("group 1").getByRole("button", { name: "Remove the option without a name" }).click();
    await save();
    await row("group 1").getByText("At least 1 is needed").waitFor();
    await page.locator("input:focus").and(field("Name").first()).waitFor();
    expect(await page.locator(".error").allInnerTexts()).toEqual([
      "Please fill this in",
      "Please enter a number",
      "Please fill this in",
      "Please enter a number",
      "Please enter a number",
      "At least 1 is needed",
    ]);
    await screenshot(page, "product-refused-desk");
    await expectAccessible(page);
    // Its row is the first one now.
    await row("variation 3").getByRole("button", { name: "Move small up" }).click();
    await row("variation 2").getByRole("button", { name: "Move small up" }).click();
    await row("variation 1").getByText("Please enter a number").waitFor();
    await row("variation 3").getByText("Please fill this in").waitFor();
    // What was told of it goes with it.
    await row("variation 3").getByRole("button", { name: "Remove the variation without a name" }).click();
    expect(await page.getByText("/variations").count()).toBe(0);

    await field("Name").first().fill("latte");
    await field("Price").fill("4.8");
    await field("Category").selectOption("Coffee");
    await row("variation 1").getByLabel("Price").fill("");
    await row("group 1").getByLabel("At most").fill("2");
    for (const name of ["Whole", "Oat"]) {
      await row("group 1").getByRole("button", { name: "Add option" }).click();
      await page.locator("input:focus").fill(name);
    }
    await row("option 2").getByLabel("Price").fill("+0.6");
    await save();
    await row("variation 2").getByText("This name is used twice").waitFor();
    // The focus goes there a moment later, and what is typed meanwhile would go with it.
    await row("variation 2").locator("input:focus").waitFor();
    await row("variation 1").getByLabel("Name").fill("Large");
    await save();
    await page.getByText("Another product on the menu has this name").waitFor();
    expect(await countOf("latte")).toBe(0);

    // Its picture is refused: it is there by then, and isn't made again.
    await field("Name").first().fill("Cortado");
    await page.getByLabel("Choose a picture").setInputFiles({
      name: "notes.txt",
      mimeType: "text/plain",
      buffer: Buffer.from("no picture"),
    });
    await save();
    await page.getByText("This format is not supported. Use PNG, JPEG or WebP.").waitFor();
    await expectAccessible(page);
    await page.getByLabel("Choose another").setInputFiles({
      name: "poster.png",
      mimeType: "image/png",
      buffer: Buffer.concat([png, Buffer.alloc(6_000_000)]),
    });
    await save();
    await page.getByText("The picture is too large. The limit is 5 MB.").waitFor();
    await page.getByRole("heading", { name: "Cortado" }).waitFor();
    const [made] = await shop.sql<{ id: string }[]>`select id from products where name = 'Cortado'`;
    expect(new URL(page.url()).hash).toBe(`#/products/${made!.id}`);
    expect((await read(made!.id)).image_url).toBeNull();

    // One may be dropped as well.
    await dropFile(page.locator(".drop"), "cortado.png", "image/png", png);
    await page.getByText("cortado.png, not saved yet").waitFor();
    expect(await page.locator(".drop img").getAttribute("src")).toMatch(/^blob:/);
    await save();
    await page.locator('.drop img[src^="/images/"]').waitFor();
    const product = await read(made!.id);
    expect(product).toMatchObject({
      name: "Cortado",
      base_price_cents: 480,
      category_id: expect.stringMatching(/./),
      image_url: expect.stringMatching(/^\/images\/.*png$/),
      variations: [
        { name: "Large", price_change_cents: 0 },
        { name: "Small", price_change_cents: -50 },
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
    expect(await countOf("Cortado")).toBe(1);
    await screenshot(page, "product-desk");
    await expectAccessible(page);

    // The version that it got by its picture is known: the next save isn't stale.
    await field("Price").fill("5");
    await save();
    await eventually(async () => (await read(made!.id)).base_price_cents === 500);
    // Who leaves before the page has heard of it is asked first.
    await page.locator('button[aria-busy="false"]').getByText("Save", { exact: true }).waitFor();
    expect(await page.getByText("Somebody else").count()).toBe(0);
  });

  test("its rows are renamed, moved and removed by keyboard, keep their ids, and the focus stays with the work", async () => {
    const { product_id } = catalog.latte;
    const [pumpkin, vanilla, hazelnut] = (await read(product_id)).variations;
    await open(product_id);
    const focused = page.locator(":focus");
    // As in browsers in which what is moved loses the focus.
    await page.evaluate("delete Element.prototype.moveBefore");
    await row("variation 3").getByRole("button", { name: "Move Hazelnut up" }).focus();
    await page.keyboard.press("Enter");
    expect(await focused.getAttribute("aria-label")).toBe("Move Hazelnut up");
    await page.keyboard.press("Enter");
    await page.getByText("Hazelnut is number 1 of 3 now").waitFor({ state: "attached" });
    expect(await focused.getAttribute("aria-disabled")).toBe("true");
    await page.keyboard.press("Enter");
    for (const way of ["down", "down", "up", "up"]) {
      await page.getByRole("button", { name: `Move Hazelnut ${way}` }).focus();
      await page.keyboard.press("Enter");
      expect(await focused.getAttribute("aria-label")).toBe(`Move Hazelnut ${way}`);
    }
    await row("variation 2").getByRole("button", { name: "Remove Pumpkin Spice" }).focus();
    await page.keyboard.press("Enter");
    expect(await focused.getAttribute("aria-label")).toBe("variation 2");
    await row("variation 2").getByLabel("Name").fill("Bourbon Vanilla");
    await page.getByRole("button", { name: "Add variation" }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.type("Pumpkin Spice");
    await page.keyboard.press("Enter");
    await saved("Latte");
    const { variations } = await read(product_id);
    expect(variations.map(({ id, name, price_change_cents }) => [id, name, price_change_cents])).toEqual([
      [hazelnut!.id, "Hazelnut", 40],
      [vanilla!.id, "Bourbon Vanilla", 30],
      // Removed and made again: by its name it is the one that it was.
      [pumpkin!.id, "Pumpkin Spice", 0],
    ]);
    // Where one typed, one can go on.
    expect(await focused.inputValue()).toBe("Pumpkin Spice");
  });

  test("what somebody else has changed meanwhile is told, kept beside what was typed, and taken over if one likes", async () => {
    const { product_id } = catalog.espresso;
    const before = await read(product_id);
    await open(product_id);
    await field("Name").first().fill("Espresso Forte");
    await field("Price").fill("2.90");
    await row("variation 2").getByLabel("Name").fill("Doppio");
    // The colleague: one field of his own, two that are typed here, too, and a row less.
    await change(product_id, {
      description: "From Napoli",
      base_price_cents: 270,
      variations: [{ name: "Ristretto", price_change_cents: 20 }],
    });
    await save();
    const told = page.getByRole("alert").filter({ hasText: "Another user has changed this product" });
    await told.waitFor();
    await page.locator(":focus").and(told).waitFor();
    const text = (await told.innerText()).replace(/\s+/g, " ");
    expect(text).toContain("Description, now From Napoli");
    expect(text).toContain("Price yours: $2.90. Theirs: $2.70.");
    expect(text).toContain("yours: Single Shot, Doppio +$1.00. Theirs: Ristretto +$0.20.");
    await screenshot(page, "product-stale-desk");
    await expectAccessible(page);
    expect(await field("Name").first().inputValue()).toBe("Espresso Forte");
    expect(await field("Description").inputValue()).toBe("From Napoli");
    expect(await read(product_id)).toMatchObject({ name: "Espresso", base_price_cents: 270 });

    await told.getByRole("group", { name: "Price" }).getByRole("button", { name: "Take theirs" }).click();
    expect(await field("Price").inputValue()).toBe("2.70");
    await save();
    await saved("Espresso Forte");
    expect(await told.count()).toBe(0);
    const after = await read(product_id);
    expect(after).toMatchObject({
      name: "Espresso Forte",
      description: "From Napoli",
      base_price_cents: 270,
      variations: [
        { name: "Single Shot", price_change_cents: 0 },
        { name: "Doppio", price_change_cents: 100 },
      ],
    });
    expect(after.version).toBe(before.version + 2);
  });

  test("what has run out is said at once, and isn't somebody else's change", async () => {
    const { product_id } = catalog.flatWhite;
    await open(product_id);
    await field("Description").fill("Velvet");
    const stock = page.getByRole("region", { name: "Availability" });
    await stock.getByText("Variations and options").click();
    await stock
      .getByRole("group", { name: "Flat White, Oat" })
      .getByRole("button", { name: "Until tomorrow" })
      .click();
    await stock.getByRole("group", { name: "Flat White, Oat" }).getByText("Sold out").waitFor();
    const oat = async () => (await read(product_id)).option_groups[0]!.options[1]!;
    expect(await oat()).toMatchObject({ name: "Oat", available: false });
    const [option] = await shop.sql<{ until: Date }[]>`
      select sold_out_until as until from options where id = ${(await oat()).id}`;
    expect(new Date(option!.until).getHours()).toBe(5);
    expect((await read(product_id)).description).not.toBe("Velvet");
    await save();
    await saved("Flat White");
    expect(await read(product_id)).toMatchObject({ description: "Velvet" });
    expect(await oat()).toMatchObject({ available: false });

    // A colleague's change comes between: seen at the next save, and not lost by a tap here.
    await field("Description").fill("Silk");
    await change(product_id, { description: "Satin" });
    await stock
      .getByRole("group", { name: "Flat White, Oat" })
      .getByRole("button", { name: "It's back" })
      .click();
    await stock
      .getByRole("group", { name: "Flat White, Oat" })
      .getByText("Sold out")
      .waitFor({ state: "detached" });
    await save();
    await page.getByText("yours: Silk. Theirs: Satin.").waitFor();
    expect(await read(product_id)).toMatchObject({ description: "Satin" });
    await page.getByRole("button", { name: "Take theirs" }).click();
  });

  test("what could not be saved is still there, and nobody leaves it unasked", async () => {
    const { product_id } = catalog.donut;
    await open(product_id);
    await field("Price").fill("2.22");
    await page.route("**/admin/products/*", (route) => route.abort("connectionrefused"));
    await save();
    await page.getByText("Your input is kept").waitFor();
    await page.getByRole("link", { name: "All products" }).click();
    const question = page.getByRole("alertdialog", { name: "Leave without saving?" });
    await question.getByRole("button", { name: "Go back" }).click();
    await page.goBack();
    await question.getByRole("button", { name: "Go back" }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await question.getByRole("button", { name: "Go back" }).click();
    expect(new URL(page.url()).hash).toBe(`#/products/${product_id}`);
    expect(await field("Price").inputValue()).toBe("2.22");
    await page.unrouteAll();
    await save();
    await saved("Donuts");
    expect(await read(product_id)).toMatchObject({ base_price_cents: 222 });
    await page.getByRole("link", { name: "All products" }).click();
    await page.getByRole("rowheader", { name: "Donuts" }).waitFor();
  });

  test("who has left a product that is still being saved stays where he went, and hears of it", async () => {
    const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
    await page.route("**/admin/products", async (route) => {
      await gate;
      await route.continue();
    });
    await goTo("/products/new");
    await field("Name").first().fill("Affogato");
    await field("Price").fill("5");
    await save();
    await page.getByRole("link", { name: "Users" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Leave" }).click();
    await page.getByRole("rowheader", { name: shop.barista.email }).waitFor();
    openGate();
    await saved("Affogato");
    expect(new URL(page.url()).hash).toBe("#/users");
    expect(await countOf("Affogato")).toBe(1);
  });

  test("a picture that was changed on the disk since it was chosen is to be chosen again", async () => {
    const { product_id } = catalog.donut;
    const folder = await mkdtemp(`${tmpdir()}/pictures-`);
    const path = `${folder}/donut.png`;
    await writeFile(path, png);
    await open(product_id);
    await page.locator("input[type=file]").setInputFiles(path);
    await page.getByText("donut.png, not saved yet").waitFor();
    await writeFile(path, Buffer.concat([png, Buffer.from("retouched")]));
    await save();
    await page.getByText("The file has changed").waitFor();
    expect((await read(product_id)).image_url).toBeNull();
    await page.locator("input[type=file]").setInputFiles(path);
    await save();
    await page.locator('.drop img[src^="/images/"]').waitFor();
    expect((await read(product_id)).image_url).not.toBeNull();
    await rm(folder, { recursive: true });
  });

  test("one is archived once it was meant, and is what a new one begins as", async () => {
    const { id } = await shop.call<Product>(shop.manager, "POST", "/admin/products", {
      name: "Winter Mocha",
      base_price_cents: 520,
      variations: [{ name: "Tall", price_change_cents: 40 }],
    });
    await open(id);
    await page.getByRole("button", { name: "Archive" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Go back" }).click();
    expect((await read(id)).archived_at).toBeNull();
    // Not what somebody else has made of it unseen.
    await change(id, { base_price_cents: 530 });
    await page.getByRole("button", { name: "Archive" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Archive" }).click();
    await page.getByText("Price, now $5.30").waitFor();
    expect((await read(id)).archived_at).toBeNull();
    // It is of no use any more: nobody asks whether it should be saved.
    await field("Description").fill("With cinnamon");
    await page.getByRole("button", { name: "Archive" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Archive" }).click();
    await page.getByText("Winter Mocha is archived").waitFor();
    await page.getByRole("rowheader", { name: "Cortado" }).waitFor();
    expect((await read(id)).archived_at).not.toBeNull();

    await goTo(`/products/${id}`);
    await page.getByText("It is archived").waitFor();
    await expectAccessible(page);
    await page.getByRole("link", { name: "Make a new product like it" }).click();
    await page.getByRole("heading", { name: "New product" }).waitFor();
    await field("Name").first().fill("Summer Mocha");
    await save();
    await saved("Summer Mocha");
    const [copy] = await shop.sql<{ id: string }[]>`select id from products where name = 'Summer Mocha'`;
    expect(await read(copy!.id)).toMatchObject({
      base_price_cents: 530,
      variations: [{ name: "Tall", price_change_cents: 40 }],
    });
    expect((await read(id)).variations).toHaveLength(1);
    await shop.call(shop.manager, "DELETE", `/admin/products/${copy!.id}`);
    await field("Price").fill("1");
    await save();
    await page.getByText("Another user has archived this product").waitFor();
    await goTo("/products");
    await page.getByRole("alertdialog").getByRole("button", { name: "Leave" }).click();
    await page.getByRole("rowheader", { name: "Cortado" }).waitFor();
  });

  test("on a phone nothing runs out of the screen", async () => {
    const pocket = await visit(shop.url, { viewport: phone, colorScheme: "dark" });
    await signIn(pocket.page, shop.manager.email, shop.manager.password);
    await pocket.page.getByRole("heading", { name: "Board" }).waitFor();
    await goTo("/products", pocket.page);
    await pocket.page.getByRole("rowheader", { name: "Flat White" }).waitFor();
    await screenshot(pocket.page, "products-phone-dark");
    await expectAccessible(pocket.page);
    await pocket.page.getByRole("rowheader", { name: "Flat White" }).click();
    await pocket.page.getByRole("group", { name: "variation 2" }).scrollIntoViewIfNeeded();
    await screenshot(pocket.page, "product-phone-dark");
    await expectAccessible(pocket.page);
    await expectNothingCutOff(pocket.page, "html");
    expect(pocket.complaints).toEqual([]);
  });
});
