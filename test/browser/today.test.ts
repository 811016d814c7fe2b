import { beforeAll, describe, expect, test } from "vitest";
import { expectAccessible, noBrowser, type Page, phone, screenshot, signIn, testBrowser } from "./browser.ts";
import { catalog, testMorning } from "./shop.ts";

/** Far from UTC: its day begins when most of the world still has yesterday. */
const timezoneId = "Pacific/Kiritimati";
const hourMs = 3_600_000;

/** When this day began there, and at which hour it is there now. */
function localMidnight() {
  const shifted = new Date(Date.now() + 14 * hourMs);
  return shifted.setUTCHours(0, 0, 0, 0) - 14 * hourMs;
}

describe.skipIf(noBrowser)("today at a glance", () => {
  const shop = testMorning();
  const { visit } = testBrowser();
  const midnight = localMidnight();

  /** Makes an order one that was placed so many hours after the shop's midnight. */
  const move = (id: string, hour: number) => shop.sql`
    update orders set created_at = ${new Date(midnight + hour * hourMs).toISOString()} where id = ${id}`;

  async function placeAt(hour: number, order?: object) {
    const placed = await shop.place(order);
    await move(placed.id, hour);
    return placed;
  }
  const figure = async (page: Page, name: string) => {
    const box = page.locator(".day-figures > div").filter({ has: page.getByText(name, { exact: true }) });
    return (await box.locator("dd").first().innerText()).trim();
  };
  const figures = async (page: Page) => {
    const names = ["Orders", "Revenue", "Average order", "Refunded", "Canceled"];
    return Promise.all(names.map((name) => figure(page, name)));
  };
  const open = async (screen: object = {}) => {
    const visited = await visit(shop.url, { timezoneId, ...screen });
    await signIn(visited.page, shop.manager.email, shop.manager.password);
    await visited.page.getByText("Live", { exact: true }).waitFor();
    await visited.page.goto(`${shop.url}/admin#/today`);
    await visited.page.getByRole("heading", { name: "Orders per hour" }).waitFor();
    return visited;
  };
  const shows = (page: Page, name: string, value: string) =>
    page
      .locator(".day-figures > div")
      .filter({ has: page.getByText(name, { exact: true }) })
      .getByText(value, { exact: true })
      .waitFor();

  beforeAll(async () => {
    // 350 and 2 × 560 in one hour, 350 in another; one is canceled; one was placed the evening before.
    await placeAt(8.1);
    const latte = await placeAt(8.9, { items: [{ ...catalog.flatWhite, quantity: 2 }] });
    await placeAt(11.5);
    const canceled = await placeAt(9.5);
    await placeAt(-0.1, { items: [{ ...catalog.donut, quantity: 1 }] });
    await shop.call(shop.manager, "POST", `/orders/${canceled.id}/cancel`, { reason: "Out of beans" });
    await shop.call(shop.manager, "POST", `/admin/orders/${latte.id}/refunds`, {
      amount_cents: 100,
      reason: "Cold",
    });
    for (const status of ["preparation", "ready"])
      await shop.call(shop.barista, "PATCH", `/orders/${latte.id}/status`, { status });
    // As if it had waited 2 minutes and been made in 65 seconds.
    for (const [second, to] of [
      [0, null],
      [120, "preparation"],
      [185, "ready"],
    ] as const)
      await shop.sql`
        update events set created_at = ${new Date(midnight + 9 * hourMs + second * 1_000).toISOString()}
        where subject_id = ${latte.id} and data ->> 'to' is not distinct from ${to} and type like 'order.%'`;
  });

  test("figures are those of the day on the shop's own clock, and change by themselves", async () => {
    const { page, complaints } = await open();
    const [row] = await shop.sql<{ orders: number; revenue: number }[]>`
      select count(*)::int as orders, sum(total_cents)::int as revenue from orders
      where status <> 'canceled' and created_at >= ${new Date(midnight).toISOString()}`;
    expect(row).toEqual({ orders: 3, revenue: 1_820 });
    expect(await figures(page)).toEqual(["3", "$18.20", "$6.07", "$1.00", "1"]);
    await page.getByText("$17.20 after refunds").waitFor();
    expect(await figure(page, "Waiting")).toBe("2 min");
    expect(await figure(page, "In preparation")).toBe("1 min 5 s");
    expect(await figure(page, "Ready, until handed over")).toBe("–");
    await expectAccessible(page);
    await screenshot(page, "today-desk");

    const { id } = await shop.place();
    await shows(page, "Orders", "4");
    expect(await figure(page, "Revenue")).toBe("$21.70");
    // Away from the hours that the chart is asked for, whichever it is now.
    await move(id, 11.6);
    expect(complaints).toEqual([]);
  });

  test("the chart's bars are told in a table too; other days are one tap away", async () => {
    const { page, complaints } = await open({ viewport: phone, colorScheme: "dark" });
    await page.getByText("As a table").click();
    const row = page.getByRole("row", { name: /^08:00 AM to 09:00 AM/ });
    expect((await row.innerText()).replace(/\s+/g, " ")).toContain("2 $14.70 0");
    const canceledHour = page.getByRole("row", { name: /^09:00 AM to 10:00 AM/ });
    expect((await canceledHour.innerText()).replace(/\s+/g, " ")).toContain("0 $0.00 1");
    expect(await page.locator(".chart rect").count()).toBeGreaterThanOrEqual(2);
    await expectAccessible(page);
    await page.screenshot({ path: "test/browser/screenshots/today-phone-dark.png", fullPage: true });

    await page.getByRole("link", { name: "Yesterday" }).click();
    await shows(page, "Orders", "1");
    expect(await figures(page)).toEqual(["1", "$2.30", "$2.30", "$0.00", "0"]);
    await page.getByRole("link", { name: "Last 7 days" }).click();
    await page.getByRole("heading", { name: "Orders per day" }).waitFor();
    const [all] = await shop.sql<[{ orders: number }]>`
      select count(*)::int as orders from orders where status <> 'canceled'`;
    await shows(page, "Orders", String(all.orders));
    await screenshot(page, "today-week-phone-dark");
    await expectAccessible(page);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(phone.width);
    expect(complaints).toEqual([]);
  });

  test("a service that is away is said, and asked again", async () => {
    const { page } = await open();
    await page.route("**/admin/sales**", (route) => route.abort("connectionrefused"));
    await page.getByRole("link", { name: "Yesterday" }).click();
    await page.getByText("The service is unreachable.").waitFor();
    await page.unrouteAll();
    await page.getByRole("button", { name: "Try again" }).click();
    await shows(page, "Orders", "1");
  });
});
