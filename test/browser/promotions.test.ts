import { beforeAll, describe, expect, test } from "vitest";
import type { Promotion } from "../../src/promotions/schemas.ts";
import {
  expectAccessible,
  expectNothingCutOff,
  noBrowser,
  phone,
  screenshot,
  signIn,
  testBrowser,
  type Visit,
} from "./browser.ts";
import { testMorning } from "./shop.ts";

describe.skipIf(noBrowser)("the admin views: promotions", () => {
  const shop = testMorning();
  const { visit } = testBrowser();
  let admin: Visit;

  const make = (fields: object) => shop.call<Promotion>(shop.manager, "POST", "/admin/promotions", fields);
  const shown = async () =>
    (await shop.call<{ items: Promotion[] }>(shop.customer, "GET", "/promotions")).items.map(
      ({ title }) => title,
    );
  const row = async (title: string) =>
    (await shop.sql<Promotion[]>`select * from promotions where title = ${title} and archived_at is null`)[0];

  beforeAll(async () => {
    await make({
      title: "Monday latte",
      starts_at: "2026-01-05T08:00:00Z",
      ends_at: "2026-01-06T08:00:00.5Z",
    });
    await make({ title: "Summer of 2099", starts_at: "2099-06-01T08:00:00Z" });
    admin = await visit(shop.url, { timezoneId: "Asia/Kolkata" });
    await signIn(admin.page, shop.manager.email, shop.manager.password);
    await admin.page.getByRole("link", { name: "Promotions" }).click();
  });

  test("each says whether it is shown; a new one is shown at once, and what is refused stands beside its field", async () => {
    const { page } = admin;
    await page.getByRole("row", { name: "Monday latte Over Jan 5" }).waitFor();
    await page.getByRole("row", { name: "Summer of 2099 Planned Jun 1, 2099" }).waitFor();
    await page.getByRole("button", { name: "New promotion" }).click();
    const window = page.getByRole("dialog", { name: "New promotion" });
    await window.getByLabel("Picture").fill("javascript:alert(1)");
    await window.getByLabel("Link").fill("donuts");
    await window.getByLabel("Position").fill("first");
    // Filled in by half.
    await window.getByLabel("Until").pressSequentially("0305");
    await window.getByRole("button", { name: "Save" }).click();
    await window.getByText("Please choose a date and time").waitFor();
    expect(await window.locator(".error").allInnerTexts()).toEqual([
      "Please fill this in",
      "Please enter a URL, such as https://example.com/latte",
      "Please enter a URL, such as https://example.com/latte",
      "Please choose a date and time",
      "Please enter a number",
    ]);
    await screenshot(page, "promotion-refused-desk");
    await expectAccessible(page);
    await window.getByLabel("Title").fill("Fresh donuts");
    await window.getByLabel("Picture").fill("");
    await window.getByLabel("Link").fill("/donuts");
    await window.getByLabel("Position").fill("-1");
    await window.getByLabel("From").fill("2026-02-02T07:30");
    await window.getByLabel("Until").fill("2026-02-01T07:30");
    await window.getByRole("button", { name: "Save" }).click();
    await window.getByText("It must end after it starts").waitFor();
    expect(await row("Fresh donuts")).toBeUndefined();

    await page.route("**/admin/promotions", (route) => route.abort("connectionrefused"));
    await window.getByLabel("Until").fill("");
    await window.getByRole("button", { name: "Save" }).click();
    await window.getByText("Your input is kept").waitFor();
    await page.unrouteAll();
    await window.getByRole("button", { name: "Save" }).click();
    await page.getByRole("row", { name: "Fresh donuts Now" }).waitFor();
    expect(await row("Fresh donuts")).toMatchObject({
      image_url: null,
      link_url: "/donuts",
      sort_order: -1,
      // Half past seven on the clock in Kolkata.
      starts_at: "2026-02-02T02:00:00.000Z",
      ends_at: null,
    });
    expect(await shown()).toEqual(["Fresh donuts"]);
    await screenshot(page, "promotions-desk");
    await expectAccessible(page);
  });

  test("one is edited: what was not touched stays to the second, and is what a colleague made of it", async () => {
    const { page } = admin;
    const before = (await row("Monday latte"))!;
    await page.getByRole("button", { name: "Edit Monday latte" }).click();
    const window = page.getByRole("dialog", { name: "Edit Monday latte" });
    await shop.call(shop.manager, "PATCH", `/admin/promotions/${before.id}`, { description: "Two for one" });
    await window.getByLabel("Title").fill("Tuesday latte");
    await window.getByRole("button", { name: "Save" }).click();
    await page.getByRole("rowheader", { name: "Tuesday latte" }).waitFor();
    expect(await row("Tuesday latte")).toMatchObject({
      ends_at: before.ends_at,
      starts_at: before.starts_at,
      description: "Two for one",
    });
    await page.getByRole("button", { name: "Edit Tuesday latte" }).click();
    expect(await page.getByLabel("Until").inputValue()).toBe("2026-01-06T13:30");
    await page.getByLabel("Until").fill("2099-01-01T00:00");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("row", { name: "Tuesday latte Now" }).waitFor();
    expect((await shown()).sort()).toEqual(["Fresh donuts", "Tuesday latte"]);
  });

  test("one is deleted once it was meant", async () => {
    const { page } = admin;
    await page.getByRole("button", { name: "Delete Fresh donuts" }).click();
    await expectAccessible(page);
    await page.getByRole("alertdialog").getByRole("button", { name: "Go back" }).click();
    expect(await row("Fresh donuts")).toBeDefined();
    await page.getByRole("button", { name: "Delete Fresh donuts" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByRole("rowheader", { name: "Fresh donuts" }).waitFor({ state: "detached" });
    expect(await shown()).toEqual(["Tuesday latte"]);
    // A colleague was quicker.
    const { id } = (await row("Summer of 2099"))!;
    await shop.call(shop.manager, "DELETE", `/admin/promotions/${id}`);
    await page.getByRole("button", { name: "Delete Summer of 2099" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Another user has already deleted Summer of 2099").waitFor();
    await page.getByRole("rowheader", { name: "Summer of 2099" }).waitFor({ state: "detached" });
    await page.route("**/admin/promotions/*", (route) => route.abort("connectionrefused"));
    await page.getByRole("button", { name: "Delete Tuesday latte" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Tuesday latte was not changed. The service is unreachable").waitFor();
    await page.unrouteAll();
    expect(await shown()).toEqual(["Tuesday latte"]);
    expect(admin.complaints).toEqual([]);
  });

  test("on a phone nothing runs out of the screen", async () => {
    const { page, complaints } = await visit(shop.url, { viewport: phone, colorScheme: "dark" });
    await signIn(page, shop.manager.email, shop.manager.password);
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("link", { name: "Promotions" }).click();
    await page.getByRole("button", { name: "Edit Tuesday latte" }).click();
    await page.getByRole("dialog").waitFor();
    await screenshot(page, "promotion-phone-dark");
    await expectAccessible(page);
    await expectNothingCutOff(page, ".dialog");
    await page.getByRole("button", { name: "Close" }).click();
    await screenshot(page, "promotions-phone-dark");
    await expectAccessible(page);
    await expectNothingCutOff(page, "html");
    expect(complaints).toEqual([]);
  });
});
