import { beforeAll, describe, expect, test } from "vitest";
import {
  expectAccessible,
  noBrowser,
  phone,
  screenshot,
  signIn,
  testBrowser,
  type Visit,
} from "./browser.ts";
import { testMorning } from "./shop.ts";

describe.skipIf(noBrowser)("the admin views: categories", () => {
  const shop = testMorning();
  const { visit } = testBrowser();
  let admin: Visit;

  beforeAll(async () => {
    admin = await visit(shop.url);
    await signIn(admin.page, shop.manager.email, shop.manager.password);
    await admin.page.getByRole("link", { name: "Categories" }).click();
  });
  const names = async () =>
    (
      await shop.sql<{ name: string }[]>`
      select name from categories where archived_at is null order by sort_order, name`
    ).map(({ name }) => name);

  test("one is added; what is refused stands beside its field, and nothing typed is lost", async () => {
    const { page } = admin;
    await page.getByRole("rowheader", { name: "Coffee" }).waitFor();
    await screenshot(page, "categories-desk");
    await expectAccessible(page);
    await page.getByRole("button", { name: "New category" }).click();
    const window = page.getByRole("dialog", { name: "New category" });
    await window.getByLabel("Description").fill("Leaves and water");
    await window.getByLabel("Place on the menu").fill("last");
    await window.getByRole("button", { name: "Save" }).click();
    const name = window.getByLabel("Name");
    await window.getByText("Please fill this in").waitFor();
    await window.getByText("Please enter a number").waitFor();
    expect(await name.getAttribute("aria-invalid")).toBe("true");
    await window.locator("input:focus").and(name).waitFor();
    await expectAccessible(page);
    await screenshot(page, "category-refused-desk");
    await name.fill("coffee");
    await window.getByLabel("Place on the menu").fill("3");
    await window.getByRole("button", { name: "Save" }).click();
    await window.getByText("Another category has this name").waitFor();
    expect(await names()).toEqual(["Coffee", "Bakery"]);

    await page.route("**/admin/categories", (route) => route.abort("connectionrefused"));
    await name.fill("Tea");
    await window.getByRole("button", { name: "Save" }).click();
    await window.getByText("Your input is kept").waitFor();
    await page.unrouteAll();
    await window.getByRole("button", { name: "Save" }).click();
    await page.getByRole("rowheader", { name: "Tea" }).waitFor();
    const [tea] = await shop.sql`select description, sort_order from categories where name = 'Tea'`;
    expect(tea).toEqual({ description: "Leaves and water", sort_order: 3 });
    expect(await page.getByRole("dialog").count()).toBe(0);
  });

  test("one is edited; who leaves with something typed is asked first", async () => {
    const { page } = admin;
    await page.getByRole("button", { name: "Edit Tea" }).click();
    const window = page.getByRole("dialog", { name: "Edit Tea" });
    await window.getByLabel("Name").fill("Teas");
    await page.keyboard.press("Escape");
    const question = page.getByRole("alertdialog", { name: "Leave without saving?" });
    await expectAccessible(page);
    await question.getByRole("button", { name: "Go back" }).click();
    expect(await window.getByLabel("Name").inputValue()).toBe("Teas");
    // What a colleague has changed meanwhile, and nobody here, stays.
    await shop.sql`update categories set description = 'Hot leaves' where name = 'Tea'`;
    await window.getByRole("button", { name: "Save" }).click();
    await page.getByRole("row", { name: "Teas Hot leaves" }).waitFor();
    await page.getByRole("button", { name: "Edit Teas" }).click();
    await page.getByLabel("Name").fill("Something else");
    await page.getByRole("button", { name: "Close" }).click();
    await question.getByRole("button", { name: "Leave" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await names()).toEqual(["Coffee", "Bakery", "Teas"]);
  });

  test("an empty one is deleted once it was meant; one with products stays, and says why", async () => {
    const { page } = admin;
    await page.getByRole("button", { name: "Delete Coffee" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Coffee was not changed. The category has 5 products").waitFor();
    await page.getByRole("button", { name: "Delete Teas" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Go back" }).click();
    expect(await names()).toEqual(["Coffee", "Bakery", "Teas"]);
    await page.getByRole("button", { name: "Delete Teas" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByRole("rowheader", { name: "Teas" }).waitFor({ state: "detached" });
    expect(await names()).toEqual(["Coffee", "Bakery"]);
    // A colleague was quicker.
    await shop.call(shop.manager, "POST", "/admin/categories", { name: "Juice" });
    await page.reload();
    await page.getByRole("rowheader", { name: "Juice" }).waitFor();
    const [juice] = await shop.sql<{ id: string }[]>`select id from categories where name = 'Juice'`;
    await shop.call(shop.manager, "DELETE", `/admin/categories/${juice!.id}`);
    await page.getByRole("button", { name: "Delete Juice" }).click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("Another user has already deleted Juice").waitFor();
    await page.getByRole("rowheader", { name: "Juice" }).waitFor({ state: "detached" });
    expect(admin.complaints).toEqual([]);
  });

  test("a list that was asked for earlier, and comes later, doesn't take the place of a newer one", async () => {
    const { page } = admin;
    for (const name of ["Soda", "Water"])
      await shop.call(shop.manager, "POST", "/admin/categories", { name });
    await page.reload();
    await page.getByRole("rowheader", { name: "Water" }).waitFor();
    const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
    let lists = 0;
    await page.route("**/categories?**", async (route) => {
      const response = await route.fetch();
      if (lists++ === 0) await gate;
      await route.fulfill({ response });
    });
    for (const name of ["Soda", "Water"]) {
      await page.getByRole("button", { name: `Delete ${name}` }).click();
      await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
      await page.getByText(`${name} is deleted`).waitFor();
    }
    await page.getByRole("rowheader", { name: "Water" }).waitFor({ state: "detached" });
    const late = page.waitForResponse("**/categories?**");
    openGate();
    await (await late).finished();
    await page.waitForTimeout(100);
    expect(await page.getByRole("rowheader").allInnerTexts()).toEqual(["Coffee", "Bakery"]);
    await page.unrouteAll();
  });

  test("on a phone nothing runs out of the screen", async () => {
    const { page, complaints } = await visit(shop.url, { viewport: phone, colorScheme: "dark" });
    await signIn(page, shop.manager.email, shop.manager.password);
    await page.getByRole("button", { name: "Menu" }).click();
    await screenshot(page, "menu-phone-dark");
    await expectAccessible(page);
    await page.getByRole("link", { name: "Categories" }).click();
    await page.getByRole("rowheader", { name: "Coffee" }).waitFor();
    await screenshot(page, "categories-phone-dark");
    await expectAccessible(page);
    const edit = (await page.getByRole("button", { name: "Delete Coffee" }).boundingBox())!;
    expect(edit.x + edit.width).toBeLessThan(phone.width);
    expect(complaints).toEqual([]);
  });
});
