import { v7 as uuidv7 } from "uuid";
import { describe, expect, test } from "vitest";
import { makeProduct, makeUser } from "./factories.ts";
import { expectProblem, meetAt, testShop } from "./harness.ts";

const shop = testShop();

const row = async (id: string) => {
  const [user] = await shop.sql`select *, xmin::text from users where id = ${id}`;
  return user!;
};

describe("a user", () => {
  test("reads their own account, by me and by id", async () => {
    const { id, email, call } = await shop.as("customer");
    const me = await call("GET", "/users/me");
    expect(me.headers["cache-control"]).toBe("no-store");
    expect(me.json()).toEqual({
      id,
      email,
      pending_email: null,
      role: "customer",
      first_name: null,
      last_name: null,
      phone_number: null,
      verified: true,
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
    });
    for (const path of [id, id.toUpperCase()])
      expect((await call("GET", `/users/${path}`)).json()).toEqual(me.json());
  });

  test("is visible only to themselves and managers", async () => {
    const { id } = await shop.as("customer");
    const before = await row(id);
    for (const role of ["customer", "barista"] as const) {
      const { call } = await shop.as(role);
      expectProblem(await call("GET", `/users/${id}`), 404, "not_found");
      for (const method of ["PATCH", "PUT"] as const)
        expectProblem(await call(method, `/users/${id}`, { body: person }), 404, "not_found");
      expectProblem(await call("DELETE", `/users/${id}`), 403, "forbidden");
      expectProblem(await call("GET", "/users"), 403, "forbidden");
    }
    expectProblem(await shop.call("GET", `/users/${id}`), 401, "unauthorized");
    expect(await row(id)).toEqual(before);
    const { call } = await shop.as("manager");
    expect((await call("GET", `/users/${id}`)).json().id).toBe(id);
    const edited = await call("PATCH", `/users/${id}`, { body: { first_name: "Ann" } });
    expect(edited.json()).toMatchObject({ id, first_name: "Ann" });
  });

  test("that doesn't exist is 404, and an id that is none is 400", async () => {
    const [customer, manager] = [await shop.as("customer"), await shop.as("manager")];
    for (const { call } of [customer, manager])
      for (const path of ["", "/sessions", "/identities"]) {
        expectProblem(await call("GET", `/users/${uuidv7()}${path}`), 404, "not_found");
        for (const id of ["you", "ME", "Me"])
          expectProblem(await call("GET", `/users/${id}${path}`), 400, "validation_failed");
      }
    expectProblem(await manager.call("DELETE", `/users/${uuidv7()}`), 404, "not_found");
    expectProblem(await manager.call("PATCH", `/users/${uuidv7()}`, { body: person }), 404, "not_found");
  });

  const person = { first_name: "Ann", last_name: "Lee", phone_number: "+1 555 0100" };

  test("changes the given fields, and clears those given as null", async () => {
    const { id, call } = await shop.as("customer");
    expect((await call("PATCH", "/users/me", { body: person })).json()).toMatchObject(person);
    const cleared = (await call("PATCH", "/users/me", { body: { last_name: null } })).json();
    expect(cleared).toMatchObject({ ...person, last_name: null });
    expect(await row(id)).toMatchObject({ ...person, last_name: null });
    expect(cleared.updated_at > cleared.created_at).toBe(true);
  });

  test("has a name of a hundred characters, whatever they are", async () => {
    const { id, call } = await shop.as("customer");
    const first_name = "🐉".repeat(100);
    expect((await call("PATCH", "/users/me", { body: { first_name } })).json()).toMatchObject({ first_name });
    const longer = { first_name: `${first_name}🐉` };
    expectProblem(await call("PATCH", "/users/me", { body: longer }), 400, "validation_failed");
    expect(await row(id)).toMatchObject({ first_name });
  });

  test("is replaced by names and phone number, all three", async () => {
    const { id, call } = await shop.as("customer");
    expect((await call("PUT", "/users/me", { body: person })).json()).toMatchObject({ id, ...person });
    for (const key of Object.keys(person)) {
      const body = { ...person, first_name: "Bob", [key]: undefined };
      const problem = expectProblem(await call("PUT", "/users/me", { body }), 400, "validation_failed");
      expect(problem.errors).toMatchObject([{ path: `/${key}` }]);
    }
    expect(await row(id)).toMatchObject(person);
  });

  test.each([
    ["nothing", {}],
    ["a list", []],
    ["an id", { id: "01920000-0000-7000-8000-000000000009" }],
    ["verified", { verified: true }],
    ["a password", { password: "another horse" }],
    ["a hash", { password_hash: "x" }],
    ["a pending email", { pending_email: "new@example.com" }],
    ["created_at", { created_at: "2026-01-01T00:00:00Z" }],
    ["deleted_at", { deleted_at: null }],
    ["null for the email", { email: null }],
    ["no address", { email: "ann" }],
    ["null for the role", { role: null }],
    ["an unknown role", { role: "admin" }],
    ["a number for a name", { first_name: 1 }],
    ["an empty name", { first_name: "" }],
    ["a long name", { first_name: "x".repeat(101) }],
    ["a name with NUL", { first_name: "x\0" }],
    ["no phone number", { phone_number: "call me" }],
    ["a long phone number", { phone_number: "1".repeat(33) }],
  ])("rejects %s", async (_title, body) => {
    for (const role of ["customer", "manager"] as const) {
      const { id, call } = await shop.as(role);
      const before = await row(id);
      expectProblem(await call("PATCH", "/users/me", { body }), 400, "validation_failed");
      if (Object.keys(body).length > 0)
        expectProblem(
          await call("PUT", "/users/me", { body: { ...person, ...body } }),
          400,
          "validation_failed",
        );
      expect(await row(id)).toEqual(before);
    }
  });

  test("can't take another user's phone number", async () => {
    const [one, two] = [await shop.as("customer"), await shop.as("customer")];
    await one.call("PATCH", "/users/me", { body: { phone_number: "+15550100" } });
    const body = { first_name: "Bob", phone_number: "+15550100" };
    expectProblem(await two.call("PATCH", "/users/me", { body }), 409, "phone_taken");
    expect(await row(two.id)).toMatchObject({ first_name: null, phone_number: null });
  });
});

describe("a role", () => {
  test("changed by a manager counts at once, for older tokens too", async () => {
    const [manager, user] = [await shop.as("manager"), await shop.as("customer")];
    const promoted = await manager.call("PATCH", `/users/${user.id}`, { body: { role: "manager" } });
    expect(promoted.json()).toMatchObject({ id: user.id, role: "manager" });
    expect((await user.call("GET", "/users")).statusCode).toBe(200);
    const back = { first_name: null, last_name: null, phone_number: null, role: "customer" };
    expect((await manager.call("PUT", `/users/${user.id}`, { body: back })).statusCode).toBe(200);
    expectProblem(await user.call("GET", "/users"), 403, "forbidden");
  });

  test("is changed by managers only, and never their own", async () => {
    for (const role of ["customer", "barista", "manager"] as const)
      for (const to of ["customer", "barista", "manager"]) {
        const { id, call } = await shop.as(role);
        for (const path of ["me", id])
          expectProblem(
            await call("PATCH", `/users/${path}`, { body: { first_name: "Ann", role: to } }),
            403,
            "forbidden",
          );
        expect(await row(id)).toMatchObject({ role, first_name: null });
      }
  });

  test("of two managers who demote each other at once leaves one", async () => {
    const [one, two] = [await shop.as("manager"), await shop.as("manager")];
    const demote = { body: { role: "customer" } };
    // Both pass the guard, then wait for the rows.
    const responses = await meetAt(shop.sql, (tx) => tx`select from users for update`, [
      () => one.call("PATCH", `/users/${two.id}`, demote),
      () => two.call("PATCH", `/users/${one.id}`, demote),
    ]);
    expect(responses.map(({ statusCode }) => statusCode).sort()).toEqual([200, 403]);
    expect(await shop.sql`select from users where role = 'manager'`).toHaveLength(1);
  });
});

describe("the list of users", () => {
  test("has all, newest first, page by page, without deleted users", async () => {
    const { call, id } = await shop.as("manager");
    const made = [await makeUser(shop.sql), await makeUser(shop.sql, "barista")];
    const gone = await makeUser(shop.sql);
    await shop.sql`update users set email = null, deleted_at = now() where id = ${gone.id}`;
    const all = (await call("GET", "/users")).json();
    expect(all.items.map((user: { id: string }) => user.id)).toEqual([made[1]!.id, made[0]!.id, id]);
    const first = (await call("GET", "/users?limit=2")).json();
    const second = (await call("GET", `/users?limit=2&cursor=${first.next_cursor}`)).json();
    expect([...first.items, ...second.items]).toEqual(all.items);
    expect(second.next_cursor).toBeNull();
    expect(JSON.stringify(all)).not.toContain("argon2");
  });

  test("is filtered", async () => {
    const { call, id } = await shop.as("manager");
    const user = await makeUser(shop.sql);
    await shop.sql`
      insert into identities (id, user_id, provider, provider_id, username)
      values (${uuidv7()}, ${user.id}, 'telegram', '42', 'Ann')`;
    const ids = async (query: string) =>
      (await call("GET", `/users?${query}`)).json().items.map((item: { id: string }) => item.id);
    expect(await ids("role=manager")).toEqual([id]);
    expect(await ids("role=barista")).toEqual([]);
    for (const query of [
      `email=${user.email}`,
      `email=%20${user.email.toUpperCase()}`,
      "provider=telegram",
      "provider_id=42",
      "username=ann",
      "provider=telegram&provider_id=42&username=Ann&role=customer",
    ])
      expect(await ids(query), query).toEqual([user.id]);
    for (const query of [
      "email=nobody@example.com",
      "provider_id=4",
      "username=An",
      "provider_id=42&role=barista",
    ])
      expect(await ids(query), query).toEqual([]);
  });

  test.each([
    "role=admin",
    "provider=google",
    "limit=0",
    "limit=101",
    "email=%00",
    `username=${"x".repeat(65)}`,
  ])("rejects %s", async (query) => {
    const { call } = await shop.as("manager");
    expectProblem(await call("GET", `/users?${query}`), 400, "validation_failed");
  });
});

describe("deleting a user", () => {
  async function order(customer: Awaited<ReturnType<typeof shop.as>>) {
    const product = await makeProduct(shop.sql);
    const body = { items: [{ product_id: product.id, quantity: 1 }] };
    return (await customer.call("POST", "/orders", { body })).json().id as string;
  }

  test("erases personal data, ends the sessions, and keeps orders and payments", async () => {
    const [manager, user] = [await shop.as("manager"), await shop.as("customer")];
    const body = { username: user.email, password: user.password };
    const { refresh_token } = (await shop.call("POST", "/auth/token", { body })).json();
    const person = { first_name: "Ann", last_name: "Lee", phone_number: "+15550100" };
    await user.call("PATCH", "/users/me", { body: { ...person, email: "new@example.com" } });
    await shop.call("POST", "/auth/password/forgot", { body: { email: user.email } });
    await shop.sql`
      insert into identities (id, user_id, provider, provider_id, username)
      values (${uuidv7()}, ${user.id}, 'telegram', '42', 'ann')`;
    const orderId = await order(user);
    await shop.sql`update orders set status = 'delivered'`;
    await user.call("POST", "/users/me/cart");

    const response = await manager.call("DELETE", `/users/${user.id}`);
    expect({ status: response.statusCode, body: response.body }).toEqual({ status: 204, body: "" });
    expect(await row(user.id)).toMatchObject({
      email: null,
      pending_email: null,
      password_hash: null,
      first_name: null,
      last_name: null,
      phone_number: null,
      deleted_at: expect.any(String),
    });
    for (const table of ["identities", "sessions", "refresh_tokens", "codes", "carts"])
      expect(await shop.sql`select from ${shop.sql(table)}`, table).toHaveLength(0);
    const dump = await shop.sql`
      select string_agg(t::text, '') as text from (
        select to_jsonb(users) from users union all select to_jsonb(events) from events
      ) t`;
    expect(dump[0]!.text).not.toMatch(/Ann|Lee|5550100|new@example/);
    expect(dump[0]!.text).not.toContain(user.email);

    const kept = (await manager.call("GET", `/orders/${orderId}`)).json();
    expect(kept).toMatchObject({ id: orderId, customer_id: user.id, payment_status: "paid" });
    expectProblem(await manager.call("GET", `/users/${user.id}`), 404, "not_found");
    expectProblem(await manager.call("DELETE", `/users/${user.id}`), 404, "not_found");
    expectProblem(await shop.call("POST", "/auth/token", { body }), 401, "invalid_credentials");
    expectProblem(
      await shop.call("POST", "/auth/refresh", { body: { refresh_token } }),
      401,
      "invalid_refresh_token",
    );
    const product = await makeProduct(shop.sql);
    const requests = [
      user.call("GET", "/users/me"),
      user.call("PATCH", "/users/me", { body: person }),
      user.call("PUT", "/users/me", { body: person }),
      user.call("GET", "/users/me/sessions"),
      user.call("DELETE", `/users/me/sessions/${uuidv7()}`),
      user.call("DELETE", `/users/me/identities/${uuidv7()}`),
      user.call("POST", "/orders", { body: { items: [{ product_id: product.id, quantity: 1 }] } }),
    ];
    for (const refused of await Promise.all(requests)) expectProblem(refused, 401, "unauthorized");
  });

  test("requires a manager; rejects oneself and other managers", async () => {
    const [manager, other, barista] = [
      await shop.as("manager"),
      await shop.as("manager"),
      await shop.as("barista"),
    ];
    for (const path of ["me", manager.id, manager.id.toUpperCase()])
      expectProblem(await manager.call("DELETE", `/users/${path}`), 409, "cannot_delete_self");
    expectProblem(await manager.call("DELETE", `/users/${other.id}`), 409, "cannot_delete_manager");
    expectProblem(await barista.call("DELETE", "/users/me"), 403, "forbidden");
    expect(await shop.sql`select from users where deleted_at is null`).toHaveLength(3);
    expect((await manager.call("DELETE", `/users/${barista.id}`)).statusCode).toBe(204);
  });

  test("is rejected while an order or a charge is open", async () => {
    const [manager, user] = [await shop.as("manager"), await shop.as("customer")];
    const orderId = await order(user);
    for (const status of ["waiting", "preparation", "ready"]) {
      await shop.sql`update orders set status = ${status} where id = ${orderId}`;
      expectProblem(await manager.call("DELETE", `/users/${user.id}`), 409, "open_orders");
    }
    await shop.sql`update orders set status = 'canceled'`;
    await shop.sql`
      insert into payments (id, customer_id, amount_cents, status, request_hash)
      values (${uuidv7()}, ${user.id}, 300, 'unknown', '')`;
    expectProblem(await manager.call("DELETE", `/users/${user.id}`), 409, "open_orders");
    expect(await row(user.id)).toMatchObject({ email: user.email, deleted_at: null });
    await shop.sql`delete from payments where order_id is null`;
    expect((await manager.call("DELETE", `/users/${user.id}`)).statusCode).toBe(204);
  });

  test("frees the email for a new account", async () => {
    const [manager, user] = [await shop.as("manager"), await shop.as("customer")];
    await manager.call("DELETE", `/users/${user.id}`);
    const body = { email: user.email, password: "another horse" };
    const response = await shop.call("POST", "/auth/signup", { body });
    expect(response.statusCode).toBe(201);
    expect(response.json().id).not.toBe(user.id);
  });
});
