import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Order } from "../../src/orders/schemas.ts";
import { eventually } from "../harness.ts";
import type { Answer } from "../provider-stub.ts";
import {
  expectAccessible,
  noBrowser,
  type Page,
  phone,
  screenshot,
  signIn,
  testBrowser,
  type Visit,
} from "./browser.ts";
import { testMorning } from "./shop.ts";

describe.skipIf(noBrowser)("the ledgers", () => {
  const shop = testMorning();
  const { visit } = testBrowser();
  let admin: Visit;

  beforeAll(async () => {
    admin = await visit(shop.url);
    await signIn(admin.page, shop.manager.email, shop.manager.password);
    await admin.page.getByText("Live", { exact: true }).waitFor();
  });
  afterEach(() => {
    shop.provider.reset();
    expect(admin.complaints).toEqual([]);
  });

  const fine: Answer = { status: 200, body: { success: true } };
  const answer = (answers: Record<string, Answer>) => {
    shop.provider.answer = ({ path }) => answers[path] ?? fine;
  };
  const open = async (page: Page, path = "ledgers") => {
    // Also when it is there already.
    await page.goto(`${shop.url}/admin#/categories`);
    await page.getByRole("heading", { name: "Categories" }).waitFor();
    await page.goto(`${shop.url}/admin#/${path}`);
    await page.getByRole("heading", { name: "Ledgers" }).waitFor();
  };
  const part = (page: Page, name: string) => page.getByRole("region", { name });
  const refunds = () => shop.sql<{ id: string; status: string; amount_cents: number }[]>`
    select id, status, amount_cents from refunds order by id`;
  /** Makes the next attempt of each pending refund its last, and waits for it. */
  async function giveUp() {
    await eventually(async () => {
      await shop.sql`
        update graphile_worker._private_jobs set attempts = max_attempts - 1, run_at = now()
        where locked_at is null and attempts < max_attempts - 1`;
      return (await refunds()).every(({ status }) => status !== "pending");
    }, 20);
  }
  const cancel = ({ id }: Order) =>
    shop.call(shop.manager, "POST", `/orders/${id}/cancel`, { reason: "Out of beans" });

  test("all clear is said where nothing has to be looked after", async () => {
    const { page } = admin;
    await shop.place();
    await open(page);
    await page.getByRole("heading", { name: "All clear" }).waitFor();
    await expectAccessible(page);
    await screenshot(page, "ledgers-clear-desk");
  });

  test("a refund that is due is tried again by hand: failing again is said, and so is that it went through", async () => {
    const { page } = admin;
    answer({ "/refunds": { status: 500, body: { message: "Try later" } } });
    const order = await shop.place();
    await cancel(order);
    await giveUp();
    await open(page);
    const row = part(page, "Refunds due").getByRole("row", { name: /^\$3.50/ });
    await row.getByText("The provider has an error (500): “Try later”").waitFor();
    expect(await page.getByRole("heading", { name: "All clear" }).count()).toBe(0);
    await expectAccessible(page);
    await screenshot(page, "ledgers-due-desk");

    answer({ "/refunds": { status: 404, body: { message: "No such charge" } } });
    await row.getByRole("button", { name: "Try again" }).click();
    await page.getByText("The refund of $3.50 failed again.").waitFor();
    await row.getByText("Failed", { exact: true }).waitFor();
    expect(await refunds()).toMatchObject([{ status: "failed" }]);

    answer({});
    await row.getByRole("button", { name: "Try again" }).click();
    await page.getByText("The refund of $3.50 succeeded").waitFor();
    await row.getByText("Refunded").waitFor();
    expect(await row.getByRole("button", { name: "Try again" }).count()).toBe(0);
    const [refund] = await refunds();
    expect(refund).toMatchObject({ status: "succeeded", amount_cents: 350 });
    const keys = shop.provider.callsTo("/refunds").map(({ key }) => key);
    expect(new Set(keys)).toEqual(new Set([refund!.id]));
    await row.getByRole("link", { name: "Open order" }).click();
    await page.getByRole("heading", { name: `Order ${order.number}` }).waitFor();
    await open(page);
    await page.getByRole("heading", { name: "All clear" }).waitFor();
  });

  test("a failed refund whose money was given back otherwise is refused, in words in its row", async () => {
    const { page } = admin;
    answer({ "/refunds": { status: 404 } });
    const order = await shop.place();
    await cancel(order);
    await eventually(async () => (await refunds()).at(-1)!.status === "failed");
    answer({});
    await open(page);
    const row = part(page, "Failed refunds").getByRole("row", { name: /^\$3.50/ });
    await row.waitFor();
    await shop.call(shop.manager, "POST", `/admin/orders/${order.id}/refunds`, { reason: "Again" });
    await row.getByRole("button", { name: "Try again" }).click();
    await row.getByText("Other refunds have taken the rest of the payment").waitFor();
    await eventually(async () => (await refunds()).at(-1)!.status === "succeeded");
    expect((await refunds()).at(-2)).toMatchObject({ status: "failed" });
  });

  test("a charge that no order came of is seen, and its refund says that it can't be sent from here", async () => {
    const { page } = admin;
    answer({ "/payments": "reset", "/refunds": { status: 500 } });
    await expect(shop.place()).rejects.toThrow("payment_unconfirmed");
    await open(page);
    const unknown = part(page, "Unknown charges").getByRole("row", { name: /^\$3.50/ });
    await unknown.getByText("Unknown").waitFor();
    await unknown.getByRole("link", { name: "open customer" }).waitFor();
    await shop.sql`update payments set attempted_at = now() - interval '1 hour' where status = 'unknown'`;
    await eventually(async () => (await refunds()).at(-1)!.status === "pending");
    await giveUp();
    await open(page);
    const row = part(page, "Refunds due").getByRole("row", { name: /^\$3.50/ });
    await row.getByText("None: a charge without an order").waitFor();
    await row.getByText("Refund it by hand.").waitFor();
    expect(await row.getByRole("button", { name: "Try again" }).count()).toBe(0);
    await expectAccessible(page);
  });

  test("a notification that failed is sent again by hand", async () => {
    const { page } = admin;
    answer({ "/notifications": { status: 400, body: { success: false } } });
    const order = await shop.place();
    await shop.call(shop.barista, "PATCH", `/orders/${order.id}/status`, { status: "preparation" });
    const statusOf = async () =>
      (await shop.sql`select status from notifications where order_id = ${order.id}`)[0]!.status;
    await eventually(async () => (await statusOf()) === "failed");
    await open(page);
    const row = part(page, "Failed notifications").getByRole("row", { name: /^In preparation/ });
    await row.getByText("The provider rejected it (400).").waitFor();
    answer({});
    await row.getByRole("button", { name: "Try again" }).click();
    await page.getByText("“In preparation” is sent").waitFor();
    await row.getByText("Sent", { exact: true }).waitFor();
    expect(await statusOf()).toBe("sent");
  });

  test("each ledger is read by status, on a phone too", async () => {
    const { page, complaints } = await visit(shop.url, { viewport: phone, colorScheme: "dark" });
    await signIn(page, shop.manager.email, shop.manager.password);
    await page.getByText("Live", { exact: true }).waitFor();
    await open(page);
    await part(page, "Refunds due").waitFor();
    await page.screenshot({ path: "test/browser/screenshots/ledgers-phone-dark.png", fullPage: true });
    await expectAccessible(page);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(phone.width);
    const status = page.getByRole("navigation", { name: "Status" });
    const shown = async () => (await page.getByRole("rowheader").all()).length;
    for (const [ledger, filter, table, where] of [
      ["Refunds", "Failed", "refunds", "failed"],
      ["Refunds", "Refunded", "refunds", "succeeded"],
      ["Payments", "Charged", "payments", "succeeded"],
      ["Payments", "Refund due", "payments", "refund_due"],
      ["Notifications", "Sent", "notifications", "sent"],
    ] as const) {
      const [{ rows }] = (await shop.sql`
        select count(*)::int as rows from ${shop.sql(table)} where status = ${where}`) as [{ rows: number }];
      expect(rows).toBeGreaterThan(0);
      await page.getByRole("link", { name: ledger, exact: true }).click();
      await status.getByRole("link", { name: filter, exact: true }).click();
      await eventually(async () => (await shown()) === rows);
    }
    await page.getByRole("link", { name: "Payments", exact: true }).click();
    await page.getByRole("rowheader").first().waitFor();
    await screenshot(page, "payments-phone-dark");
    await expectAccessible(page);
    await status.getByRole("link", { name: "Charge pending" }).click();
    await page.getByText("No payments found.").waitFor();
    expect(complaints).toEqual([]);
  });
});
