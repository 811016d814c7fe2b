import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { makeUser } from "../factories.ts";
import { expectAccessible, noBrowser, type Page, screenshot, signIn, testBrowser } from "./browser.ts";
import { testMorning } from "./shop.ts";

describe.skipIf(noBrowser)("a session on the staff's page", () => {
  const shop = testMorning();
  const { visit } = testBrowser();

  const openBoard = async (who = shop.manager) => {
    const opened = await visit(shop.url);
    await signIn(opened.page, who.email, who.password);
    await opened.page.getByText("Live", { exact: true }).waitFor();
    return opened;
  };
  const refreshes = (page: Page) => {
    const seen: number[] = [];
    page.on("response", (response) => {
      if (response.url().endsWith("/auth/refresh")) seen.push(response.status());
    });
    return seen;
  };
  const unauthorized = {
    status: 401,
    contentType: "application/problem+json",
    body: JSON.stringify({ status: 401, code: "unauthorized", detail: "Sign in first" }),
  };

  test("a token that is refused is refreshed quietly, once for all that asked", async () => {
    const { page } = await openBoard();
    const seen = refreshes(page);
    // As after JWT_SECRET_KEY was changed: what the page holds is good no more.
    const old = new Set<string>();
    await page.route("**/api/v1/**", async (route) => {
      const { authorization } = route.request().headers();
      if (!authorization) return route.continue();
      if (old.size === 0) old.add(authorization);
      return old.has(authorization) ? route.fulfill(unauthorized) : route.continue();
    });
    await page.evaluate(`import("/admin/api.js").then(({ get }) =>
      Promise.all([get("/menu"), get("/categories"), get("/users/me")]))`);
    expect(seen).toEqual([200]);
  });

  test("a token is refreshed before it expires, and a stream that has gone silent is opened anew", async () => {
    const { page } = await openBoard();
    const seen = refreshes(page);
    const refused: string[] = [];
    page.on("response", (response) => {
      if (response.status() === 401) refused.push(response.url());
    });
    const opened = page.waitForRequest("**/admin/orders/events");
    // The tablet slept for nearly as long as a token lives.
    await page.evaluate("const { now } = Date; Date.now = () => now() + 29.5 * 60_000;");
    await opened;
    await page.getByText("Live", { exact: true }).waitFor();
    expect([seen, refused]).toEqual([[200], []]);
  });

  test("a session that was ended elsewhere asks to sign in again, and says why", async () => {
    const { page } = await openBoard();
    await page.route("**/api/v1/categories**", (route) => route.fulfill(unauthorized));
    await shop.sql`update sessions set ended_at = now() where user_id = ${shop.manager.id}`;
    await page.getByRole("link", { name: "Categories" }).click();
    await page.getByText("Your session has ended. Please sign in again.").waitFor();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  });

  test("what was typed when the session ended is still there for whoever signs in again, and is seen by nobody else", async () => {
    const { page, complaints } = await openBoard();
    await page.getByRole("link", { name: "Categories" }).click();
    await page.getByRole("button", { name: "New category" }).click();
    const window = page.getByRole("dialog", { name: "New category" });
    await window.getByLabel("Name").fill("Tea");
    await page.route("**/admin/categories", (route) => route.fulfill(unauthorized));
    await shop.sql`update sessions set ended_at = now() where user_id = ${shop.manager.id}`;
    await window.getByRole("button", { name: "Save" }).click();
    const signInDialog = page.getByRole("dialog", { name: "Sign in" });
    await signInDialog.getByText("Your session has ended. Please sign in again.").waitFor();
    await expectAccessible(page);
    await screenshot(page, "session-ended-desk");
    // It covers all, and no key takes it away.
    expect(await signInDialog.boundingBox()).toEqual({ x: 0, y: 0, ...page.viewportSize() });
    for (const _ of [1, 2]) await page.keyboard.press("Escape");
    await sleep(100);
    expect(await signInDialog.isVisible()).toBe(true);
    await page.unrouteAll();
    await signIn(page, shop.manager.email, "a wrong guess");
    await signInDialog.getByText("Email or password is wrong").waitFor();
    await signIn(page, shop.manager.email, shop.manager.password);
    await signInDialog.waitFor({ state: "detached" });
    expect(await window.getByLabel("Name").inputValue()).toBe("Tea");
    await window.getByRole("button", { name: "Save" }).click();
    await page.getByRole("rowheader", { name: "Tea" }).waitFor();
    expect(await page.title()).toBe("Categories · Ristretto");

    // Somebody else finds nothing of it.
    await page.getByRole("button", { name: "Edit Tea" }).click();
    const edited = page.getByRole("dialog", { name: "Edit Tea" });
    await edited.getByLabel("Name").fill("Teas");
    await page.route("**/admin/categories/*", (route) => route.fulfill(unauthorized));
    await shop.sql`update sessions set ended_at = now() where user_id = ${shop.manager.id}`;
    await edited.getByRole("button", { name: "Save" }).click();
    await signInDialog.waitFor();
    await page.unrouteAll();
    const other = await makeUser(shop.sql, "manager");
    await signIn(page, other.email, other.password);
    for (const each of [signInDialog, edited]) await each.waitFor({ state: "detached" });
    await page.getByRole("rowheader", { name: "Tea", exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  test("the board comes to life again when somebody has signed in again", async () => {
    const { page } = await openBoard();
    await shop.sql`update sessions set ended_at = now() where user_id = ${shop.manager.id}`;
    await page.evaluate("const { now } = Date; Date.now = () => now() + 29.5 * 60_000;");
    await page.getByText("Your session has ended").waitFor();
    await signIn(page, shop.manager.email, shop.manager.password);
    await page.getByText("Live", { exact: true }).waitFor();
    const order = await shop.place();
    await page.locator(`[data-order="${order.id}"]`).waitFor();
  });

  test("who is no longer of the staff is told so, and is not let in again", async () => {
    const gone = await makeUser(shop.sql, "barista");
    const { page, complaints } = await openBoard(gone);
    await shop.sql`update users set role = 'customer' where id = ${gone.id}`;
    await page.evaluate("const { now } = Date; Date.now = () => now() + 60_000;");
    await page.getByText("This account may no longer see the orders.").waitFor();
    await page.reload();
    await page.getByText("This page is for staff").waitFor();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    expect(complaints).toEqual([]);
  });

  test("an answer that isn't the service's is one that could not be had", async () => {
    const { page, complaints } = await openBoard();
    await page.route("**/api/v1/categories**", (route) =>
      route.fulfill({ status: 200, contentType: "text/html", body: "<h1>Welcome to our wifi</h1>" }),
    );
    await page.getByRole("link", { name: "Categories" }).click();
    await page.getByText("The service is unreachable.").waitFor();
    await page.unrouteAll();
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("rowheader", { name: "Coffee" }).waitFor();
    expect(complaints).toEqual([]);
  });

  test("a tab that was duplicated shares the session: neither ends the other's", async () => {
    const { page } = await openBoard();
    const key = "ristretto.refresh-token";
    const token = await page.evaluate((key) => sessionStorage.getItem(key), key);
    const twin = await page.context().newPage();
    onTestFinished(() => twin.close());
    // What a browser does when a tab is duplicated.
    await twin.addInitScript(
      ([key, token]) => sessionStorage.getItem(key!) ?? sessionStorage.setItem(key!, token!),
      [key, token],
    );
    await twin.goto(`${shop.url}/admin#/categories`);
    await twin.getByRole("rowheader", { name: "Coffee" }).waitFor();
    await sleep(100);
    const rotated = await page.evaluate((key) => sessionStorage.getItem(key), key);
    expect(rotated).not.toBe(token);
    expect(rotated).toBe(await twin.evaluate((key) => sessionStorage.getItem(key), key));
    // Long after, when a token that was rotated would end the session.
    await shop.sql`update refresh_tokens set rotated_at = rotated_at - interval '1 hour'`;
    for (const each of [page, twin]) {
      await each.reload();
      await each.getByRole("button", { name: "Sign out" }).waitFor();
      await sleep(100);
      await shop.sql`update refresh_tokens set rotated_at = rotated_at - interval '1 hour'`;
    }
  });
});
