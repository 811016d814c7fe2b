import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../harness.ts";
import {
  expectAccessible,
  noBrowser,
  type Page,
  phone,
  type Screen,
  screenshot,
  signIn,
  testBrowser,
  type Visit,
} from "./browser.ts";
import { catalog, testMorning } from "./shop.ts";

describe.skipIf(noBrowser)("the admin views: orders", () => {
  const shop = testMorning();
  const { visit } = testBrowser();
  let desk: Visit;

  const open = async (screen: Screen = {}) => {
    const visited = await visit(shop.url, screen);
    await signIn(visited.page, shop.manager.email, shop.manager.password);
    await visited.page.getByText("Live", { exact: true }).waitFor();
    return visited;
  };
  beforeAll(async () => {
    desk = await open();
  });
  afterEach(async () => {
    shop.provider.reset();
    await desk.page.unrouteAll();
    expect(desk.complaints).toEqual([]);
  });

  const openOrder = async (page: Page, { id, number }: { id: string; number: number }) => {
    await page.goto(`${shop.url}/admin#/orders/${id}`);
    await page.getByRole("heading", { name: `Order ${number}` }).waitFor();
  };
  const part = (page: Page, name: string) => page.getByRole("region", { name });
  const refundsOf = ({ id }: { id: string }) => shop.sql<
    { amount_cents: number; status: string; reason: string }[]
  >`
    select r.amount_cents, r.status, r.reason from refunds r join payments p on p.id = r.payment_id
    where p.order_id = ${id} order by r.id`;
  const statusesOf = async ({ id }: { id: string }) => {
    const [row] = await shop.sql`select status, payment_status from orders where id = ${id}`;
    return [row!.status, row!.payment_status];
  };

  test("a list of orders is found by status, day and customer, in pages", async () => {
    const { page } = desk;
    const flat = await shop.place({ items: [{ ...catalog.flatWhite, quantity: 2 }] });
    await shop.call(shop.barista, "PATCH", `/orders/${flat.id}/status`, { status: "preparation" });
    const old = await shop.place();
    await shop.sql`update orders set created_at = '2026-02-03T12:00:00Z' where id = ${old.id}`;
    for (let nth = 0; nth < 51; nth++) await shop.place();
    await page.goto(`${shop.url}/admin#/orders`);
    await page.getByRole("button", { name: "Show more" }).waitFor();
    expect(await page.getByRole("row").count()).toBe(1 + 50);
    await screenshot(page, "orders-desk");
    await expectAccessible(page);
    await page.getByRole("button", { name: "Show more" }).click();
    await page.getByRole("button", { name: "Show more" }).waitFor({ state: "detached" });
    expect(await page.getByRole("row").count()).toBe(1 + 53);

    const found = () => page.getByRole("rowheader").allInnerTexts();
    const show = () => page.getByRole("button", { name: "Show", exact: true }).click();
    await page.getByLabel("Status").selectOption({ label: "In preparation" });
    await show();
    await eventually(async () => (await found()).length === 1);
    expect(await found()).toEqual([String(flat.number)]);
    expect(page.url()).toContain("#/orders?status=preparation");
    await page.getByRole("button", { name: "Show", exact: true }).and(page.locator(":focus")).waitFor();
    // The day that is named as the last belongs to it.
    await page.getByLabel("Status").selectOption({ label: "Any" });
    await page.getByLabel("From").fill("2026-02-03");
    await page.getByLabel("To", { exact: true }).fill("2026-02-03");
    await show();
    await eventually(async () => (await found()).join() === String(old.number));
    await page.getByLabel("To", { exact: true }).fill("2026-02-02");
    await show();
    await page.getByText("No orders found.").waitFor();

    await page.getByLabel("From").fill("");
    await page.getByLabel("To", { exact: true }).fill("");
    await page.getByLabel("Customer").fill("nobody@example.com");
    await show();
    await page.getByText("No user has this email").waitFor();
    expect(await page.getByLabel("Customer").getAttribute("aria-invalid")).toBe("true");
    await page.getByLabel("Customer").fill(shop.customer.email.toUpperCase());
    await show();
    await eventually(async () => (await found()).length === 50);
    expect(page.url()).toContain(`customer_id=${shop.customer.id}`);
    await page.goBack();
    await page.getByText("No orders found.").waitFor();
  });

  test("an order's story tells what was ordered, who, where its money is, who was told and what happened", async () => {
    const { page } = desk;
    const order = await shop.place({
      items: [
        { ...catalog.flatWhite, quantity: 2, notes: "extra hot" },
        { ...catalog.donut, quantity: 1 },
      ],
      notes: "Ring twice",
      fulfillment: {
        type: "delivery",
        address: { line1: "Bean Street", house_number: "7", floor: "3", notes: "The blue door" },
        phone_number: "+1 555 0100",
      },
    });
    await page.goto(`${shop.url}/admin#/orders`);
    await page.getByRole("link", { name: String(order.number), exact: true }).click();
    await page.getByRole("heading", { name: `Order ${order.number}` }).waitFor();
    const receipt = (await part(page, "Items").innerText()).replace(/\s+/g, " ");
    for (const told of [
      "2 × Flat White Double, Oat (+$0.60), Hot extra hot $11.20 $5.60 each",
      "1 × Donuts Jelly $2.30",
      "Total $13.50",
      "Ring twice",
    ])
      expect(receipt).toContain(told);
    const who = (await part(page, "Customer").innerText()).replace(/\s+/g, " ");
    for (const told of [shop.customer.email, "+1 555 0100", "Bean Street 7", "Floor 3", "The blue door"])
      expect(who).toContain(told);
    const [payment] = await shop.sql`select id from payments where order_id = ${order.id}`;
    const paid = (await part(page, "Payment").innerText()).replace(/\s+/g, " ");
    for (const told of ["$13.50 Charged", "The provider accepted it (200).", payment!.id])
      expect(paid).toContain(told);
    expect(await part(page, "History").getByRole("listitem").allInnerTexts()).toEqual([
      expect.stringMatching(/^Placed/),
    ]);
    await expectAccessible(page);
    await screenshot(page, "order-desk");

    // What a colleague does is seen without asking.
    await shop.call(shop.barista, "PATCH", `/orders/${order.id}/status`, { status: "preparation" });
    await part(page, "History").getByText("In preparation").waitFor();
    await page.getByRole("button", { name: "It's ready" }).click();
    await page.getByRole("button", { name: "Hand over" }).click();
    await part(page, "History").getByText("Handed over").waitFor();
    expect(await statusesOf(order)).toEqual(["delivered", "paid"]);
    await part(page, "Notifications").getByRole("row", { name: "Handed over Sent" }).waitFor();
    const told = (await part(page, "Notifications").innerText()).match(/Sent/g);
    expect(told).toHaveLength(3);
    expect(await page.getByRole("button", { name: "Cancel order" }).count()).toBe(0);
    await expectAccessible(page);
    await screenshot(page, "order-delivered-desk");
  });

  test("who is slower than a colleague is told so, and nothing is skipped", async () => {
    const { page } = desk;
    const order = await shop.place();
    await openOrder(page, order);
    await page.route(`**/orders/${order.id}/status`, async (route) => {
      await shop.call(shop.barista, "PATCH", `/orders/${order.id}/status`, { status: "preparation" });
      await route.continue();
    });
    await page.getByRole("button", { name: "Start preparing" }).click();
    await page.getByText("Another user was faster").waitFor();
    await page.getByRole("button", { name: "It's ready" }).waitFor();
    expect(await statusesOf(order)).toEqual(["preparation", "paid"]);
  });

  test("a part is given back, then the rest; more than is left is refused in words beside the amount", async () => {
    const { page } = desk;
    const order = await shop.place();
    await openOrder(page, order);
    await page.getByRole("button", { name: "Refund…" }).click();
    const dialog = page.getByRole("dialog", { name: `Refund of order ${order.number}` });
    const amount = dialog.getByLabel("Amount");
    const save = dialog.getByRole("button", { name: "Refund" });
    expect(await amount.inputValue()).toBe("3.50");
    await amount.fill("three");
    await save.click();
    await dialog.getByText("Please enter a number").waitFor();
    await dialog.getByText("Please fill this in").waitFor();
    await amount.fill("4");
    await dialog.getByLabel("Reason").fill("Cold");
    await save.click();
    await dialog.getByText("Only $3.50 of the payment is left to refund").waitFor();
    expect(await amount.getAttribute("aria-invalid")).toBe("true");
    await expectAccessible(page);
    await screenshot(page, "refund-refused-desk");
    expect(await refundsOf(order)).toEqual([]);

    await amount.fill("1,20");
    await save.click();
    await dialog.waitFor({ state: "detached" });
    await part(page, "Refunds").getByRole("row", { name: "$1.20 Refunded Cold" }).waitFor();
    await part(page, "History").getByText("$1.20 refunded").waitFor();
    expect(await statusesOf(order)).toEqual(["waiting", "partially_refunded"]);

    await page.getByRole("button", { name: "Refund…" }).click();
    expect(await amount.inputValue()).toBe("2.30");
    // A colleague gives it all back meanwhile.
    await shop.call(shop.manager, "POST", `/admin/orders/${order.id}/refunds`, { reason: "Goodwill" });
    await dialog.getByLabel("Reason").fill("Also cold");
    await save.click();
    await dialog.getByText("The whole payment is refunded, or pending").waitFor();
    expect(await dialog.getByLabel("Reason").inputValue()).toBe("Also cold");
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Leave" }).click();
    await eventually(async () => (await refundsOf(order)).every(({ status }) => status === "succeeded"));
    expect(await refundsOf(order)).toEqual([
      { amount_cents: 120, status: "succeeded", reason: "Cold" },
      { amount_cents: 230, status: "succeeded", reason: "Goodwill" },
    ]);
    await page.getByRole("button", { name: "Refund…" }).waitFor({ state: "detached" });
  });

  test("a refund whose answer was lost is not given twice unknowing", async () => {
    const { page } = desk;
    const order = await shop.place();
    await openOrder(page, order);
    await page.getByRole("button", { name: "Refund…" }).click();
    const dialog = page.getByRole("dialog", { name: `Refund of order ${order.number}` });
    const save = dialog.getByRole("button", { name: "Refund" });
    await dialog.getByLabel("Amount").fill("1");
    await dialog.getByLabel("Reason").fill("Cold");
    await page.route(`**/orders/${order.id}/refunds`, async (route) => {
      await route.fetch();
      await route.abort("connectionreset");
    });
    await save.click();
    await dialog.getByText("Your input is kept").waitFor();
    await page.unrouteAll();
    await save.click();
    await dialog.getByText("$1.00 is being refunded already: the last attempt arrived.").waitFor();
    expect(await refundsOf(order)).toHaveLength(1);
    // It was meant.
    await save.click();
    await dialog.waitFor({ state: "detached" });
    expect(await refundsOf(order)).toMatchObject([{ amount_cents: 100 }, { amount_cents: 100 }]);
  });

  test("an order is canceled with a reason, which gives its payment back; too late is said", async () => {
    const { page, complaints } = await open({ viewport: phone, colorScheme: "dark" });
    const order = await shop.place();
    await openOrder(page, order);
    await page.screenshot({ path: "test/browser/screenshots/order-phone-dark.png", fullPage: true });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(phone.width);
    await expectAccessible(page);
    await page.getByRole("button", { name: "Cancel order" }).click();
    const dialog = page.getByRole("dialog", { name: `Cancel order ${order.number}` });
    await dialog.getByText("$3.50").waitFor();
    const save = dialog.getByRole("button", { name: "Cancel the order" });
    await save.click();
    await dialog.getByText("Please fill this in").waitFor();
    await screenshot(page, "cancel-phone-dark");
    await expectAccessible(page);
    expect(await statusesOf(order)).toEqual(["waiting", "paid"]);
    // That it went back is told a moment later than it did.
    let kept = false;
    await page.route("**/admin/events?**", async (route) => {
      const response = await route.fetch();
      const { items } = await response.json();
      const late = items.filter(({ type }: { type: string }) => type !== "payment.refunded");
      if (kept || late.length === items.length) return route.fulfill({ response });
      kept = true;
      return route.fulfill({ response, json: { items: late, next_cursor: null } });
    });
    await dialog.getByLabel("Reason").fill("Out of beans");
    await save.click();
    await dialog.waitFor({ state: "detached" });
    await part(page, "History").getByText("Out of beans").waitFor();
    await part(page, "History").getByText("$3.50 refunded").waitFor();
    expect(kept).toBe(true);
    expect(await statusesOf(order)).toEqual(["canceled", "refunded"]);
    expect(await refundsOf(order)).toEqual([
      { amount_cents: 350, status: "succeeded", reason: "Out of beans" },
    ]);
    expect(await page.getByRole("button", { name: "Refund…" }).count()).toBe(0);

    const late = await shop.place();
    for (const status of ["preparation", "ready"])
      await shop.call(shop.barista, "PATCH", `/orders/${late.id}/status`, { status });
    await openOrder(page, late);
    await page.getByRole("button", { name: "Cancel order" }).click();
    await shop.call(shop.barista, "PATCH", `/orders/${late.id}/status`, { status: "delivered" });
    await page.getByLabel("Reason").fill("Changed his mind");
    await page.getByRole("button", { name: "Cancel the order" }).click();
    await page.getByText("The order is already delivered").waitFor();
    expect(await statusesOf(late)).toEqual(["delivered", "paid"]);
    expect(complaints).toEqual([]);
  });

  test("a notification that failed is sent again by hand, and the row tells what became of it", async () => {
    const { page } = desk;
    shop.provider.answer = ({ path }) =>
      path === "/notifications"
        ? { status: 503, body: { message: "Closed for lunch" } }
        : { status: 200, body: { success: true } };
    const order = await shop.place();
    await shop.call(shop.barista, "PATCH", `/orders/${order.id}/status`, { status: "preparation" });
    await openOrder(page, order);
    const row = part(page, "Notifications").getByRole("row", { name: /^In preparation Failed/ });
    await row.getByText("The provider has an error (503): “Closed for lunch”").waitFor();
    await row.getByRole("button", { name: "Try again" }).click();
    await page.getByText("“In preparation” failed again.").waitFor();
    shop.provider.answer = () => ({ status: 200, body: { success: true } });
    await row.getByRole("button", { name: "Try again" }).click();
    await page.getByText("“In preparation” is sent").waitFor();
    const sent = await shop.sql`select status from notifications where order_id = ${order.id}`;
    expect(sent).toEqual([{ status: "sent" }]);
    expect(shop.provider.callsTo("/notifications").at(-1)!.headers["x-order-id"]).toBe(order.id);
  });

  test("an order that isn't there is said to be so, and isn't waited for", async () => {
    const { page } = desk;
    const id = "01920000-0000-7000-8000-0000000009ff";
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(`${shop.url}/admin#/orders/${id}`);
    await page.getByText("Order not found").waitFor();
    await page.getByRole("link", { name: "All orders" }).waitFor();
    // Longer than between the first tries of a stream.
    await page.waitForTimeout(1_000);
    expect(asked.filter((url) => url.endsWith(`/orders/${id}/events`))).toHaveLength(1);
  });
});
