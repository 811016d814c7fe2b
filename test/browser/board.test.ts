import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { MenuProduct } from "../../src/catalog/schemas.ts";
import { eventually } from "../harness.ts";
import {
  desk,
  expectAccessible,
  noBrowser,
  type Page,
  phone,
  type Screen,
  screenshot,
  signIn,
  tablet,
  testBrowser,
  type Visit,
} from "./browser.ts";
import { catalog, testMorning } from "./shop.ts";

describe.skipIf(noBrowser)("the board", () => {
  const shop = testMorning();
  const { visit } = testBrowser();
  /** The tablet on the counter: open all day. */
  let counter: Visit;
  let visits: Visit[] = [];

  beforeAll(async () => {
    counter = await visit(shop.url, { viewport: tablet });
    await signIn(counter.page, shop.barista.email, shop.barista.password);
    await live(counter.page).waitFor();
  });
  afterEach(async () => {
    await counter.page.unrouteAll();
    for (const { close } of visits) await close();
    expect([counter, ...visits].flatMap(({ complaints }) => complaints)).toEqual([]);
    visits = [];
  });

  async function open(screen?: Screen) {
    const opened = await visit(shop.url, screen);
    visits.push(opened);
    return opened.page;
  }
  async function openBoard(screen?: Screen, who = shop.barista) {
    const page = await open(screen);
    await signIn(page, who.email, who.password);
    await live(page).waitFor();
    return page;
  }
  const live = (page: Page) => page.getByText("Live", { exact: true });
  const card = (page: Page, column: string, { id }: { id: string }) =>
    page.getByRole("region", { name: column }).locator(`[data-order="${id}"]`);
  const tap = (page: Page, column: string, order: { id: string }) =>
    card(page, column, order).getByRole("button").click();
  /** Until it can be tapped: not as soon as it has come to its place. */
  const settled = (page: Page, column: string, order: { id: string }) =>
    card(page, column, order).locator("button[aria-disabled=false]").waitFor();
  const statusOf = async ({ id }: { id: string }) =>
    (await shop.sql<{ status: string }[]>`select status from orders where id = ${id}`)[0]!.status;
  const advance = (order: { id: string }, status: string) =>
    shop.call(shop.barista, "PATCH", `/orders/${order.id}/status`, { status });

  test("who isn't let in is told so in words; who is, stays signed in over a reload, until he signs out", async () => {
    const page = await open();
    await screenshot(page, "sign-in");
    await expectAccessible(page);
    await signIn(page, shop.barista.email, "a wrong guess");
    await page.getByText("Email or password is wrong").waitFor();
    expect(await page.getByLabel("Email").inputValue()).toBe(shop.barista.email);
    await expectAccessible(page);
    await signIn(page, shop.customer.email, shop.customer.password);
    await page.getByText("This page is for staff").waitFor();

    await signIn(page, shop.barista.email, shop.barista.password);
    await page.getByRole("heading", { name: "Board" }).waitFor();
    await page.reload();
    await live(page).waitFor();
    const storage = await page.evaluate(() => JSON.stringify({ ...localStorage }));
    expect(storage).toBe("{}");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    await eventually(async () => {
      const [session] = await shop.sql<{ ended: boolean }[]>`
        select ended_at is not null as ended from sessions order by id desc limit 1`;
      return session!.ended;
    });
    await page.reload();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
  });

  test("a morning: an order appears by itself and is tapped to its end, and a second page shows it", async () => {
    const { page } = counter;
    const onPhone = await openBoard({ viewport: phone, colorScheme: "dark" }, shop.manager);
    const order = await shop.place({
      items: [
        { ...catalog.flatWhite, quantity: 2, notes: "extra hot" },
        { ...catalog.donut, quantity: 1 },
      ],
      notes: "We are the two at the window",
      fulfillment: { type: "dine_in", table: "12" },
    });
    const waiting = card(page, "Waiting", order);
    await waiting.waitFor();
    const text = (await waiting.innerText()).replace(/\s+/g, " ");
    for (const told of [
      String(order.number),
      "Table 12",
      "2 × Flat White Double, Oat, Hot extra hot",
      "1 × Donuts Jelly",
      "We are the two at the window",
    ])
      expect(text).toContain(told);
    await card(onPhone, "Waiting", order).waitFor();
    await screenshot(page, "board-tablet");
    await screenshot(onPhone, "board-phone-dark");
    await expectAccessible(page);
    await expectAccessible(onPhone);

    for (const [from, to, shownAs] of [
      ["Waiting", "preparation", "Preparation"],
      ["Preparation", "ready", "Ready"],
    ] as const) {
      await tap(page, from, order);
      await card(page, shownAs, order).waitFor();
      expect(await statusOf(order)).toBe(to);
      await onPhone.getByRole("group", { name: "Column" }).getByRole("button", { name: shownAs }).click();
      await card(onPhone, shownAs, order).waitFor();
    }
    await tap(onPhone, "Ready", order);
    for (const each of [page, onPhone]) await card(each, "Ready", order).waitFor({ state: "detached" });
    expect(await statusOf(order)).toBe("delivered");
    const told =
      await shop.sql`select order_status from notifications where order_id = ${order.id} order by id`;
    expect(told.map(({ order_status }) => order_status)).toEqual(["preparation", "ready", "delivered"]);
  });

  test("a double tap moves one order on by one step, and not the one that slides into its place", async () => {
    const { page } = counter;
    const [first, second] = [await shop.place(), await shop.place()];
    await card(page, "Waiting", second).waitFor();
    await settled(page, "Waiting", first);
    const box = (await card(page, "Waiting", first).getByRole("button").boundingBox())!;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.click(x, y);
    await page.mouse.click(x, y);
    await card(page, "Preparation", first).waitFor();
    // As close to the slide as can be: it is under the pointer by now.
    await page.mouse.click(x, y);
    await page.waitForTimeout(300);
    expect([await statusOf(first), await statusOf(second)]).toEqual(["preparation", "waiting"]);
    // And then it can be tapped.
    await tap(page, "Waiting", second);
    await card(page, "Preparation", second).waitFor();
  });

  test("who is slower than a colleague is told so, and sees where the order is", async () => {
    const { page } = counter;
    const order = await shop.place();
    await card(page, "Waiting", order).waitFor();
    // The colleague's change is made, and its event not yet there, when the tap comes.
    await page.route(`**/orders/${order.id}/status`, async (route) => {
      await advance(order, "preparation");
      await route.continue();
    });
    await tap(page, "Waiting", order);
    await page.getByText(`Another user was faster: order ${order.number} is in preparation now.`).waitFor();
    await card(page, "Preparation", order).waitFor();
    expect(await statusOf(order)).toBe("preparation");
  });

  test("what could not be saved says so on its card, which can be tapped again", async () => {
    const { page } = counter;
    const order = await shop.place();
    await card(page, "Waiting", order).waitFor();
    await page.route(`**/orders/${order.id}/status`, (route) => route.abort("connectionrefused"));
    await tap(page, "Waiting", order);
    await card(page, "Waiting", order).getByText("The service is unreachable. Tap again.").waitFor();
    expect(await statusOf(order)).toBe("waiting");
    await page.unrouteAll();
    await tap(page, "Waiting", order);
    await card(page, "Preparation", order).waitFor();
  });

  test("a canceled order says so where it was, until somebody takes it off", async () => {
    const { page } = counter;
    const order = await shop.place();
    await advance(order, "preparation");
    await card(page, "Preparation", order).waitFor();
    await shop.call(shop.manager, "POST", `/orders/${order.id}/cancel`, { reason: "Out of milk" });
    await card(page, "Preparation", order).getByText("Canceled").waitFor();
    await expectAccessible(page);
    await screenshot(page, "board-tablet-canceled");
    await tap(page, "Preparation", order);
    await card(page, "Preparation", order).waitFor({ state: "detached" });
  });

  test("an age is told in words beside its color", async () => {
    const [soon, late] = [await shop.place(), await shop.place()];
    await shop.sql`update orders set created_at = now() - interval '4 minutes' where id = ${soon.id}`;
    await shop.sql`update orders set created_at = now() - interval '75 minutes' where id = ${late.id}`;
    const scheduled = await shop.place({
      fulfillment: { type: "pickup", scheduled_at: new Date(Date.now() + 30.5 * 60_000).toISOString() },
    });
    const page = await openBoard({ viewport: desk, colorScheme: "dark" });
    await card(page, "Waiting", soon).getByText("4 min, getting late").waitFor();
    await card(page, "Waiting", late).getByText("1 h 15 min, late").waitFor();
    await card(page, "Waiting", scheduled).getByText("in 30 min").waitFor();
    const shown = await page
      .getByRole("region", { name: "Waiting" })
      .locator("[data-order]")
      .evaluateAll((cards) => cards.map((each) => each.getAttribute("data-order")));
    const mine = shown.filter((id) => [soon.id, late.id, scheduled.id].includes(id!));
    expect(mine).toEqual([late.id, soon.id, scheduled.id]);
    await expectAccessible(page);
    await screenshot(page, "board-desk-dark");
  });

  test("a lost connection is shown, and heals with what was missed and nothing twice", async () => {
    const { page } = counter;
    const before = await shop.place();
    await card(page, "Waiting", before).waitFor();
    const asked: (string | undefined)[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/admin/orders/events")) asked.push(request.headers()["last-event-id"]);
    });
    await shop.instance.end("SIGTERM");
    await page.getByText("The connection is lost.").waitFor();
    await screenshot(page, "board-tablet-lost");
    await expectAccessible(page);
    expect(await card(page, "Waiting", before).isVisible()).toBe(true);
    await shop.restart();
    await live(page).waitFor({ timeout: 15_000 });
    await page.getByText("The connection is lost.").waitFor({ state: "detached" });
    const after = await shop.place();
    await card(page, "Waiting", after).waitFor();
    const [event] = await shop.sql<{ seq: string }[]>`
      select seq from events where subject_id = ${before.id} and type = 'order.created'`;
    expect(asked.at(-1)).toBe(String(event!.seq));
    expect(await page.locator(`[data-order="${before.id}"]`).count()).toBe(1);
  });

  test("what is sold out until tomorrow is off the menu at once, with its variation or option alone too, and back", async () => {
    const page = await openBoard({ viewport: phone });
    const flatWhite = async () => {
      const menu = await shop.call<{ products: MenuProduct[] }>(shop.barista, "GET", "/menu");
      return menu.products.find(({ id }) => id === catalog.flatWhite.product_id)!;
    };
    await page.getByRole("button", { name: "Sold out" }).click();
    await page.getByPlaceholder("Find a product").fill("flat");
    const line = page.getByRole("group", { name: "Flat White", exact: true });
    // It says what it was answered: another instance may hear of it later.
    await page.route("**/api/v1/menu", (route) => route.abort("connectionrefused"));
    await line.getByRole("button", { name: "Until tomorrow" }).click();
    await line.getByText("Sold out").waitFor();
    expect(await flatWhite()).toMatchObject({ available: false });
    const [row] = await shop.sql<{ sold_out_until: Date }[]>`
      select sold_out_until from products where id = ${catalog.flatWhite.product_id}`;
    const until = new Date(row!.sold_out_until);
    expect([until.getHours(), until.getMinutes(), until > new Date()]).toEqual([5, 0, true]);
    expect(until.getTime() - Date.now()).toBeLessThan(24.1 * 3_600_000);
    await line.getByRole("button", { name: "It's back" }).click();
    await line.getByRole("button", { name: "Until tomorrow" }).waitFor();
    expect(await flatWhite()).toMatchObject({ available: true });
    await page.unrouteAll();

    await page.getByText("Variations and options").click();
    const oat = page.getByRole("group", { name: "Flat White, Oat" });
    await oat.getByRole("button", { name: "For longer" }).click();
    await oat.getByText("Sold out").waitFor();
    await screenshot(page, "sold-out-phone");
    await expectAccessible(page);
    const { available, option_groups } = await flatWhite();
    expect([available, option_groups[0]!.options.map((option) => option.available)]).toEqual([
      true,
      [true, false, true],
    ]);
    await oat.getByRole("button", { name: "It's back" }).click();
    await oat.getByRole("button", { name: "Until tomorrow" }).waitFor();
  });

  test("the board is worked by keyboard alone", async () => {
    const { page } = counter;
    const [first, second] = [await shop.place(), await shop.place()];
    await card(page, "Waiting", second).waitFor();
    await settled(page, "Waiting", first);
    await card(page, "Waiting", first).getByRole("button").focus();
    await page.keyboard.press("Enter");
    await card(page, "Preparation", first).waitFor();
    // The focus is on what stands in the place of what has left.
    const focused = page.locator(":focus");
    await eventually(async () => (await focused.innerText()).startsWith("Start"));
    expect(
      await focused.evaluate((button) => button.closest("[data-order]")?.getAttribute("data-order")),
    ).toBe(second.id);
  });

  test("a sound is off until it is wanted, and that is all that the device remembers", async () => {
    const page = await openBoard();
    const sound = page.getByRole("switch", { name: "Sound" });
    expect(await sound.getAttribute("aria-checked")).toBe("false");
    await sound.click();
    await page.reload();
    await live(page).waitFor();
    expect(await sound.getAttribute("aria-checked")).toBe("true");
    await shop.place();
    expect(await page.evaluate(() => ({ ...localStorage }))).toEqual({ "ristretto.sound": "on" });
    expect(await page.evaluate(() => Object.keys(sessionStorage))).toEqual(["ristretto.refresh-token"]);
  });

  test("a barista sees no admin, not by its address either; a manager sees it", async () => {
    const page = await openBoard();
    expect(await page.getByRole("navigation").count()).toBe(0);
    await page.goto(`${shop.url}/admin#/categories`);
    await page.getByRole("heading", { name: "Board" }).waitFor();
    const admin = await openBoard({}, shop.manager);
    expect(await admin.getByRole("navigation", { name: "Views" }).getByRole("link").allInnerTexts()).toEqual([
      "Board",
      "Today",
      "Orders",
      "Products",
      "Categories",
      "Promotions",
      "Import",
      "Users",
      "Ledgers",
    ]);
  });
});
