// A whole morning at the shop, from the order that comes in to the figures at noon: once at a desk, once with a phone.
import { describe, expect, test } from "vitest";
import type { Order } from "../../src/orders/schemas.ts";
import { eventually } from "../harness.ts";
import {
  desk,
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

    // SEAM product: edit a product in Products, and see it on GET /menu.
    // SEAM image: upload its picture, and see `image_url` on GET /menu.
    // SEAM import: a CSV, dry first, then for good, and see it on GET /menu.

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
  await part(manager, "What happened").getByText("$3.50 given back").waitFor();
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
  await manager.getByRole("button", { name: "Give back" }).click();
  await part(manager, "What happened").getByText("$1.20 given back").waitFor();
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
