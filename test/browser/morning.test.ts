// A whole morning at the shop, from the order that comes in to the figures at noon: once at a desk, once with a phone.
import { describe, expect, test } from "vitest";
import type { Category, MenuProduct } from "../../src/catalog/schemas.ts";
import type { Order } from "../../src/orders/schemas.ts";
import { eventually, rowsOf } from "../harness.ts";
import { png } from "../picture.ts";
import {
  desk,
  dropFile,
  expectAccessible,
  noBrowser,
  type Page,
  phone,
  screenshot,
  signIn,
  tablet,
  testBrowser,
} from "./browser.ts";
import { catalog, type Morning, testMorning } from "./shop.ts";

const live = (page: Page) => page.getByText("Live", { exact: true });
const card = (page: Page, column: string, { id }: Order) =>
  page.getByRole("region", { name: column }).locator(`[data-order="${id}"]`);
const part = (page: Page, name: string) => page.getByRole("region", { name });

describe.skipIf(noBrowser).each([
  { name: "desk", screen: { viewport: desk } },
  { name: "phone", screen: { viewport: phone, colorScheme: "dark" as const } },
])("a whole morning, the manager's at a $name", ({ name, screen }) => {
  const shop = testMorning();
  const { visit } = testBrowser();

  test("is worked on the staff's page alone", async () => {
    const counter = await visit(shop.url, { viewport: tablet });
    const manager = await visit(shop.url, screen);
    await signIn(counter.page, shop.barista.email, shop.barista.password);
    await signIn(manager.page, shop.manager.email, shop.manager.password);
    for (const { page } of [counter, manager]) await live(page).waitFor();

    const served = await serve(shop, counter.page, manager.page);
    await screenshot(manager.page, `morning-board-${name}`);

    await edit(shop, manager.page);
    await picture(shop, manager.page);
    await screenshot(manager.page, `morning-product-${name}`);
    await importMore(shop, manager.page);
    await screenshot(manager.page, `morning-import-${name}`);

    const canceled = await cancel(shop, counter.page, manager.page);
    await refund(shop, manager.page, served);
    await screenshot(manager.page, `morning-refund-${name}`);
    await expectAccessible(manager.page);
    await look(manager.page);
    await screenshot(manager.page, `morning-today-${name}`);

    const orders = await shop.sql`select id, status, payment_status from orders order by id`;
    expect(orders).toEqual([
      { id: served.id, status: "delivered", payment_status: "partially_refunded" },
      { id: canceled.id, status: "canceled", payment_status: "refunded" },
    ]);
    const told = await shop.sql`select order_status, status from notifications order by id`;
    expect(told.map(({ order_status, status }) => `${order_status} ${status}`)).toEqual([
      "preparation sent",
      "ready sent",
      "delivered sent",
      "canceled sent",
    ]);
    expect(shop.provider.callsTo("/payments").map(({ body }) => body.value)).toEqual([1_120, 350]);
    expect(shop.provider.callsTo("/refunds").map(({ body }) => body.value)).toEqual([350, 120]);
    expect([...counter.complaints, ...manager.complaints]).toEqual([]);
    // All of it in one piece: several times a test's usual work.
  });
});

/** An order arrives by the API and is tapped to its end at the counter; the manager's page shows each step. */
async function serve(shop: Morning, counter: Page, manager: Page): Promise<Order> {
  const order = await shop.place({ items: [{ ...catalog.flatWhite, quantity: 2, notes: "extra hot" }] });
  for (const page of [counter, manager]) await card(page, "Waiting", order).waitFor();
  for (const [from, to] of [
    ["Waiting", "Preparation"],
    ["Preparation", "Ready"],
  ] as const) {
    await card(counter, from, order).getByRole("button").click();
    await card(counter, to, order).waitFor();
    // On a phone one column is seen at a time.
    const tab = manager.getByRole("group", { name: "Column" }).getByRole("button", { name: to });
    if (await tab.isVisible()) await tab.click();
    await card(manager, to, order).waitFor();
  }
  await card(counter, "Ready", order).getByRole("button").click();
  for (const page of [counter, manager]) await card(page, "Ready", order).waitFor({ state: "detached" });
  return order;
}

/** The menu as anybody reads it. It hears of a change just after the commit: what is new is awaited. */
async function menuOf(shop: Morning) {
  const response = await fetch(`${shop.url}/api/v1/menu`);
  expect(response.status).toBe(200);
  return (await response.json()) as { categories: Category[]; products: MenuProduct[] };
}

/** A price goes up, and the menu's with it, for each variation too. */
async function edit(shop: Morning, manager: Page) {
  await openView(manager, "Products");
  await manager.getByRole("rowheader", { name: "Flat White" }).click();
  await manager.getByRole("heading", { level: 1, name: "Flat White" }).waitFor();
  const before = await flatWhite(shop);
  await manager.getByRole("textbox", { name: "Price", exact: true }).fill("4.60");
  await manager.getByRole("textbox", { name: "Description" }).fill("Two shots under velvet milk");
  await manager.getByRole("button", { name: "Save" }).click();
  await manager.getByText("Flat White is saved").first().waitFor();
  const more = 460 - before.base_price_cents;
  expect(more).not.toBe(0);
  await eventually(async () => (await flatWhite(shop)).base_price_cents === 460);
  expect(await flatWhite(shop)).toEqual({
    ...before,
    description: "Two shots under velvet milk",
    base_price_cents: 460,
    variations: before.variations.map((each) => ({ ...each, price_cents: each.price_cents + more })),
  });
}

/** The product that is open gets a picture: the menu gives its address, which answers with it. */
async function picture(shop: Morning, manager: Page) {
  expect((await flatWhite(shop)).image_url).toBeNull();
  await dropFile(manager.locator(".drop"), "flat-white.png", "image/png", png);
  await manager.getByText("flat-white.png, not saved yet").waitFor();
  await manager.getByRole("button", { name: "Save" }).click();
  await manager.locator('.drop img[src^="/images/"]').waitFor();
  const address = await eventually(async () => (await flatWhite(shop)).image_url);
  const served = await fetch(new URL(address, shop.url));
  expect(served.status).toBe(200);
  expect(served.headers.get("content-type")).toBe("image/png");
  expect(Buffer.from(await served.arrayBuffer())).toEqual(png);
}

/** A file is tried, which changes nothing, and then imported: one product is new, another one changed. */
async function importMore(shop: Morning, manager: Page) {
  const catalogRows = () => rowsOf(shop.sql, ["categories", "products", "variations"]);
  const [before, rows] = [await menuOf(shop), await catalogRows()];
  await openView(manager, "Import");
  await manager.getByLabel("Choose a CSV file").setInputFiles({
    name: "autumn.csv",
    mimeType: "text/csv",
    buffer: Buffer.from(
      "name,category,description,base_price_cents,image_url,variations\r\n" +
        "Chai,Coffee,With cardamom,450,,Small:-50|Large:+80\r\n" +
        "Donuts,,,260,,\r\n",
    ),
  });
  await manager.getByRole("heading", { name: "autumn.csv can be imported" }).waitFor();
  expect(await catalogRows()).toEqual(rows);
  await manager.getByRole("button", { name: "Import 2 rows" }).click();
  await manager.getByRole("heading", { name: "autumn.csv is imported" }).waitFor();
  await eventually(async () => (await menuOf(shop)).products.some(({ name }) => name === "Chai"));
  const { categories, products } = await menuOf(shop);
  expect(products).toHaveLength(before.products.length + 1);
  expect(products.find(({ name }) => name === "Chai")).toMatchObject({
    category_id: categories.find(({ name }) => name === "Coffee")!.id,
    description: "With cardamom",
    base_price_cents: 450,
    available: true,
    variations: [
      { name: "Small", price_cents: 400 },
      { name: "Large", price_cents: 530 },
    ],
  });
  expect(products.find(({ id }) => id === catalog.donut.product_id)).toMatchObject({
    name: "Donuts",
    base_price_cents: 260,
  });
}

async function flatWhite(shop: Morning) {
  const { products } = await menuOf(shop);
  return products.find(({ id }) => id === catalog.flatWhite.product_id)!;
}

/** The manager cancels an order that waits: the counter sees it, and its money goes back. */
async function cancel(shop: Morning, counter: Page, manager: Page): Promise<Order> {
  const order = await shop.place();
  await card(counter, "Waiting", order).waitFor();
  await openView(manager, "Orders");
  await manager
    .getByRole("rowheader")
    .getByRole("link", { name: String(order.number) })
    .click();
  await manager.getByRole("button", { name: "Cancel order" }).click();
  await manager.getByLabel("Reason").fill("Out of beans");
  await manager.getByRole("button", { name: "Cancel the order" }).click();
  await part(manager, "History").getByText("$3.50 refunded").waitFor();
  await card(counter, "Waiting", order).getByText("Canceled").waitFor();
  return order;
}

/** A part of a served order's money goes back. */
async function refund(shop: Morning, manager: Page, order: Order) {
  await manager.getByRole("link", { name: "All orders" }).click();
  await manager
    .getByRole("rowheader")
    .getByRole("link", { name: String(order.number) })
    .click();
  await manager.getByRole("button", { name: "Refund…" }).click();
  await manager.getByLabel("Amount").fill("1.20");
  await manager.getByLabel("Reason").fill("One was cold");
  await manager.getByRole("button", { name: "Refund", exact: true }).click();
  await part(manager, "History").getByText("$1.20 refunded").waitFor();
  await eventually(async () => {
    const [row] = await shop.sql`select payment_status from orders where id = ${order.id}`;
    return row!.payment_status === "partially_refunded";
  });
}

/** What the morning came to; and nothing is left to look after. */
async function look(manager: Page) {
  await openView(manager, "Ledgers");
  await manager.getByRole("heading", { name: "All clear" }).waitFor();
  await openView(manager, "Today");
  await manager.getByText("$10.00 after refunds").waitFor();
  const figures = await manager.locator(".day-figures").first().innerText();
  expect(figures.replace(/\s+/g, " ").trim()).toBe(
    "Orders 1 Revenue $11.20 $10.00 after refunds Average order $11.20 Refunded $1.20 Canceled 1",
  );
}

async function openView(page: Page, name: string) {
  const menu = page.getByRole("button", { name: "Menu" });
  if (await menu.isVisible()) await menu.click();
  await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
}
