import { v7 as uuidv7 } from "uuid";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { makeUser, type TestUser } from "../factories.ts";
import { eventually } from "../harness.ts";
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

describe.skipIf(noBrowser)("the admin views: users", () => {
  const shop = testMorning();
  const { visit } = testBrowser();
  let admin: Visit;

  beforeAll(async () => {
    admin = await visit(shop.url);
    await signIn(admin.page, shop.manager.email, shop.manager.password);
    await admin.page.getByText("Live", { exact: true }).waitFor();
  });
  afterEach(() => expect(admin.complaints).toEqual([]));

  const openUser = async ({ id, email }: TestUser) => {
    await admin.page.goto(`${shop.url}/admin#/users/${id}`);
    await admin.page.getByRole("heading", { level: 1, name: email }).waitFor();
  };
  const part = (name: string) => admin.page.getByRole("region", { name });
  const rowOf = async ({ id }: TestUser) => {
    const [row] = await shop.sql`
      select first_name, last_name, phone_number, role, deleted_at is not null as deleted
      from users where id = ${id}`;
    return row;
  };
  const remove = async () => {
    await part("Delete").getByRole("button").click();
    await admin.page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  };

  test("somebody is found by email and by role", async () => {
    const { page } = admin;
    await page.getByRole("link", { name: "Users" }).click();
    await page.getByRole("rowheader", { name: shop.barista.email }).waitFor();
    expect(await page.getByRole("row").count()).toBe(1 + 3);
    await screenshot(page, "users-desk");
    await expectAccessible(page);
    const find = () => page.getByRole("button", { name: "Find" }).click();
    await page.getByLabel("Role").selectOption({ label: "Barista" });
    await find();
    await eventually(async () => (await page.getByRole("row").count()) === 1 + 1);
    await page.getByLabel("Email").fill(shop.customer.email.toUpperCase());
    await find();
    await page.getByText("No users found.").waitFor();
    await page.getByLabel("Role").selectOption({ label: "Any" });
    await find();
    await page.getByRole("link", { name: shop.customer.email }).click();
    await page.getByRole("heading", { level: 1, name: shop.customer.email }).waitFor();
    await page.getByRole("link", { name: "Orders", exact: true }).last().click();
    await page.getByText("No orders found.").waitFor();
    await eventually(async () => (await page.getByLabel("Customer").inputValue()) === shop.customer.email);
  });

  test("names and phone are changed; what is refused stands beside its field, and nothing typed is lost", async () => {
    const { page } = admin;
    const ada = await makeUser(shop.sql);
    await shop.sql`update users set phone_number = '+1 555 0199' where id = ${shop.barista.id}`;
    await openUser(ada);
    const person = part("Person");
    await person.getByLabel("First name").fill("Ada");
    await person.getByLabel("Phone").fill("call me");
    await person.getByRole("button", { name: "Save" }).click();
    await person.getByText("This format is not valid").waitFor();
    await person.getByLabel("Phone").fill("+1 555 0199");
    await person.getByRole("button", { name: "Save" }).click();
    await person.getByText("This phone number already has an account").waitFor();
    expect(await person.getByLabel("Phone").getAttribute("aria-invalid")).toBe("true");
    expect(await person.getByLabel("First name").inputValue()).toBe("Ada");
    expect(await rowOf(ada)).toMatchObject({ first_name: null, phone_number: null });
    await expectAccessible(page);
    await screenshot(page, "user-refused-desk");
    await person.getByLabel("Phone").fill("+1 555 0100");
    // What another manager has changed meanwhile, and nobody here, stays.
    await shop.sql`update users set last_name = 'Lovelace' where id = ${ada.id}`;
    await person.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { level: 1, name: "Ada Lovelace" }).waitFor();
    expect(await rowOf(ada)).toEqual({
      first_name: "Ada",
      last_name: "Lovelace",
      phone_number: "+1 555 0100",
      role: "customer",
      deleted: false,
    });
  });

  test("a role is given once it was meant; one's own is not one's own to change", async () => {
    const { page } = admin;
    const bo = await makeUser(shop.sql);
    await openUser(bo);
    const person = part("Person");
    await person.getByLabel("Role").selectOption({ label: "Manager" });
    await person.getByRole("button", { name: "Save" }).click();
    const question = page.getByRole("alertdialog", { name: `Make ${bo.email} a manager?` });
    await question.getByRole("button", { name: "Go back" }).click();
    expect(await rowOf(bo)).toMatchObject({ role: "customer" });
    await person.getByLabel("Role").selectOption({ label: "Barista" });
    await person.getByRole("button", { name: "Save" }).click();
    await page.getByText(`${bo.email} is saved`).waitFor();
    expect(await rowOf(bo)).toMatchObject({ role: "barista" });

    await openUser(shop.manager);
    await person.getByText("You can't change your own role").waitFor();
    await person.getByLabel("Role").selectOption({ label: "Customer" });
    await person.getByRole("button", { name: "Save" }).click();
    await person.getByText("Only managers change roles, and never their own").waitFor();
    expect(await person.getByLabel("Role").getAttribute("aria-invalid")).toBe("true");
    expect(await rowOf(shop.manager)).toMatchObject({ role: "manager" });
  });

  test("a device is signed out from here, and an identity unlinked, unless it is the only way in", async () => {
    const { page } = admin;
    const cy = await makeUser(shop.sql);
    await shop.sql`
      insert into identities (id, user_id, provider, provider_id, username)
      values (${uuidv7()}, ${cy.id}, 'telegram', '4711', 'cy_drinks')`;
    const response = await fetch(`${shop.url}/api/v1/auth/token`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent":
          "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1",
      },
      body: JSON.stringify({ username: cy.email, password: cy.password }),
    });
    expect(response.status).toBe(200);
    await openUser(cy);
    await part("Devices").getByText("Safari on iPhone", { exact: true }).waitFor();
    await part("Linked accounts").getByText("@cy_drinks").waitFor();
    await expectAccessible(page);
    await screenshot(page, "user-desk");
    await part("Devices").getByRole("button", { name: "Sign out" }).click();
    await part("Devices").getByText("No devices.").waitFor();
    const sessions =
      await shop.sql`select ended_at is not null as ended from sessions where user_id = ${cy.id}`;
    expect(sessions).toEqual([{ ended: true }]);

    await shop.sql`update users set email = null, password_hash = null where id = ${cy.id}`;
    const unlink = part("Linked accounts").getByRole("button", { name: "Unlink" });
    await unlink.click();
    await part("Linked accounts").getByText("This is the only way to sign in").waitFor();
    expect(await shop.sql`select 1 from identities where user_id = ${cy.id}`).toHaveLength(1);
    await shop.sql`update users set email = ${cy.email} where id = ${cy.id}`;
    await unlink.click();
    await part("Linked accounts").getByText("Email and password only.").waitFor();
    expect(await shop.sql`select 1 from identities where user_id = ${cy.id}`).toHaveLength(0);
  });

  test("somebody is deleted once it was meant; who can't be stays, and it is said why", async () => {
    const { page } = admin;
    await openUser(shop.manager);
    await remove();
    await part("Delete").getByText("Only another manager can delete your account").waitFor();
    const other = await makeUser(shop.sql, "manager");
    await openUser(other);
    await remove();
    await part("Delete").getByText("Remove the role of manager first").waitFor();
    await expectAccessible(page);
    const order = await shop.place();
    await openUser(shop.customer);
    await remove();
    await part("Delete").getByText("This user has an unfinished order").waitFor();
    expect(await shop.sql`select 1 from users where deleted_at is not null`).toHaveLength(0);

    await shop.call(shop.manager, "POST", `/orders/${order.id}/cancel`, { reason: "He leaves" });
    await part("Delete").getByRole("button").click();
    await screenshot(page, "user-delete-desk");
    await expectAccessible(page);
    await page.getByRole("alertdialog").getByRole("button", { name: "Go back" }).click();
    expect(await rowOf(shop.customer)).toMatchObject({ deleted: false });
    await remove();
    await page.getByText(`${shop.customer.email} is deleted`).waitFor();
    await page.getByRole("heading", { name: "Users" }).waitFor();
    expect(await rowOf(shop.customer)).toMatchObject({ deleted: true });
    expect(await page.getByRole("rowheader", { name: shop.customer.email }).count()).toBe(0);
    await page.goto(`${shop.url}/admin#/orders/${order.id}`);
    await page.getByText("Deleted account").waitFor();
  });

  test("on a phone nothing runs out of the screen", async () => {
    const { page, complaints } = await visit(shop.url, { viewport: phone, colorScheme: "dark" });
    await signIn(page, shop.manager.email, shop.manager.password);
    await page.getByText("Live", { exact: true }).waitFor();
    for (const [path, name] of [
      ["users", "users-phone-dark"],
      [`users/${shop.manager.id}`, "user-phone-dark"],
    ]) {
      await page.goto(`${shop.url}/admin#/${path}`);
      await page.getByLabel("Role").waitFor();
      await eventually(async () => (await page.getByText("Loading…").count()) === 0);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(phone.width);
      await expectAccessible(page);
      await page.screenshot({ path: `test/browser/screenshots/${name}.png`, fullPage: true });
    }
    expect(complaints).toEqual([]);
  });
});
