import { describe, expect, onTestFinished, test } from "vitest";
import { makeUser } from "./factories.ts";
import { expectProblem, meetAt, openShop, testShop } from "./harness.ts";
import { botToken, telegramLogin as login } from "./telegram.ts";

const shop = testShop({ env: { TELEGRAM_BOT_TOKEN: botToken } });

const now = () => Math.floor(Date.now() / 1_000);

const signIn = (body: unknown) => shop.call("POST", "/auth/telegram", { body });
const rows = async () => ({
  users: await shop.sql`select id, email, password_hash, first_name, role from users order by id`,
  identities: await shop.sql`select user_id, provider, provider_id, username from identities order by id`,
});
const me = async (access_token: string) =>
  (await shop.call("GET", "/users/me", { headers: { authorization: `Bearer ${access_token}` } })).json();

describe("signing in through Telegram", () => {
  test("makes a user without email and password the first time, and finds them again", async () => {
    const first = await signIn(login({ last_name: "Lee", photo_url: "https://t.me/i/ann.jpg" }));
    expect(first.statusCode, first.body).toBe(200);
    expect(first.headers["cache-control"]).toBe("no-store");
    const user = await me(first.json().access_token);
    expect(user).toMatchObject({
      email: null,
      first_name: "Ann",
      last_name: "Lee",
      role: "customer",
      verified: true,
    });
    const second = await signIn(login({ username: "ann_lee" }));
    expect((await me(second.json().access_token)).id).toBe(user.id);
    const refreshed = await shop.call("POST", "/auth/refresh", {
      body: { refresh_token: second.json().refresh_token },
    });
    expect(refreshed.statusCode).toBe(200);
    expect(await rows()).toEqual({
      users: [{ id: user.id, email: null, password_hash: null, first_name: "Ann", role: "customer" }],
      identities: [{ user_id: user.id, provider: "telegram", provider_id: "42", username: "ann_lee" }],
    });
    expect(await shop.sql`select type, subject_id from events order by id`).toEqual([
      { type: "user.created", subject_id: user.id },
      { type: "user.verified", subject_id: user.id },
    ]);
  });

  test("ten times at once makes one user", async () => {
    const responses = await Promise.all(Array.from({ length: 10 }, () => signIn(login())));
    for (const response of responses) expect(response.statusCode, response.body).toBe(200);
    expect((await rows()).users).toHaveLength(1);
    expect(await shop.sql`select from events`).toHaveLength(2);
  });

  test("is rejected if the password changes meanwhile, and leaves no session", async () => {
    await signIn(login());
    await shop.sql`delete from sessions`;
    const [response] = await meetAt(shop.sql, (tx) => tx`update users set password_hash = 'new'`, [
      () => signIn(login()),
    ]);
    expectProblem(response!, 401, "invalid_telegram_login");
    expect(await shop.sql`select from sessions`).toHaveLength(0);
  });

  test("accepts a login of up to 24 hours ago, and no older or later one", async () => {
    expect((await signIn(login({ auth_date: now() - 24 * 3_600 + 60 }))).statusCode).toBe(200);
    for (const auth_date of [now() - 24 * 3_600 - 1, 0, now() + 3_600])
      expectProblem(await signIn(login({ auth_date })), 401, "invalid_telegram_login");
  });

  test("accepts only fields that Telegram signed for this bot", async () => {
    const good = login();
    const forged: Record<string, ReturnType<typeof login>> = {
      "another id": { ...good, id: 43 },
      "another name": { ...good, username: "bob" },
      "a later date": { ...good, auth_date: now() + 1 },
      "a field more": { ...good, last_name: "Lee" },
      "another bot": login({}, "654321:another"),
      "an empty token": login({}, ""),
      "another hash": { ...good, hash: "0".repeat(64) },
      "half a hash": { ...good, hash: String(good.hash).slice(0, 32) },
      "no hex": { ...good, hash: "x".repeat(64) },
    };
    const { username: _, ...less } = good;
    forged["a field less"] = less;
    for (const [title, body] of Object.entries(forged)) {
      const response = await signIn(body);
      expect(response.statusCode, title).toBe(401);
      expectProblem(response, 401, "invalid_telegram_login");
    }
    expect(await rows()).toEqual({ users: [], identities: [] });
  });

  test.each([
    ["nothing", {}],
    ["no hash", { id: 42, auth_date: 1 }],
    ["null for an id", { ...login(), id: null }],
    ["text for an id", { ...login(), id: "42" }],
    ["a fraction for an id", { ...login(), id: 4.2 }],
    ["text for the date", { ...login(), auth_date: `${now()}` }],
    ["an unknown key", { ...login(), role: "manager" }],
    ["a value of two lines, which could pass for another key", login({ first_name: "Ann\nid=43" })],
    ["NUL", login({ first_name: "Ann\0" })],
    ["a long name", login({ first_name: "x".repeat(257) })],
  ])("rejects %s", async (_title, body) => {
    expectProblem(await signIn(body), 400, "validation_failed");
    expect((await rows()).users).toEqual([]);
  });

  test("is 404 without a bot token", async () => {
    const other = await openShop();
    onTestFinished(other.close);
    for (const body of [login(), {}])
      expectProblem(await other.call("POST", "/auth/telegram", { body }), 404, "telegram_disabled");
    const { call } = await other.as("customer");
    expectProblem(await call("POST", "/users/me/identities", { body: login() }), 404, "telegram_disabled");
    expectProblem(await other.call("POST", "/users/me/identities", { body: {} }), 401, "unauthorized");
  });

  test("allows to add an email, then a password by a reset", async () => {
    const { access_token } = (await signIn(login())).json();
    const headers = { authorization: `Bearer ${access_token}` };
    const response = await shop.call("PATCH", "/users/me", { body: { email: "ann@example.com" }, headers });
    expect(response.json()).toMatchObject({ email: null, pending_email: "ann@example.com" });
  });
});

describe("identities", () => {
  test("are linked by the account's session and Telegram's proof, and sign in to it", async () => {
    const { id, call } = await shop.as("customer");
    const response = await call("POST", "/users/me/identities", { body: login() });
    expect(response.statusCode, response.body).toBe(201);
    expect(response.json()).toEqual({
      id: expect.any(String),
      user_id: id,
      provider: "telegram",
      provider_id: "42",
      username: "ann",
      created_at: expect.any(String),
    });
    expect((await call("GET", "/users/me/identities")).json()).toEqual({
      items: [response.json()],
      next_cursor: null,
    });
    expect((await me((await signIn(login())).json().access_token)).id).toBe(id);
  });

  test("are not linked without proof, nor without the session", async () => {
    const [user, other] = [await shop.as("customer"), await shop.as("customer")];
    const path = `/users/${user.id}/identities`;
    const forged = { ...login(), id: 43 };
    expectProblem(await user.call("POST", path, { body: forged }), 401, "invalid_telegram_login");
    const claimed = { provider: "telegram", provider_id: "42" };
    expectProblem(await user.call("POST", path, { body: claimed }), 400, "validation_failed");
    expectProblem(await shop.call("POST", path, { body: login() }), 401, "unauthorized");
    expectProblem(await other.call("POST", path, { body: login() }), 404, "not_found");
    expectProblem(await other.call("GET", path), 404, "not_found");
    expect((await rows()).identities).toEqual([]);
  });

  test("are one account's, also when two link one at once", async () => {
    const [user, other] = [await shop.as("customer"), await shop.as("customer")];
    const responses = await Promise.all(
      [user, other].map(({ call }) => call("POST", "/users/me/identities", { body: login() })),
    );
    expect(responses.map(({ statusCode }) => statusCode).sort()).toEqual([201, 409]);
    for (const { call } of [user, other])
      expectProblem(await call("POST", "/users/me/identities", { body: login() }), 409, "identity_taken");
    expect((await rows()).identities).toHaveLength(1);
  });

  test("are unlinked, and are free then", async () => {
    const [user, other] = [await shop.as("customer"), await shop.as("customer")];
    const { id } = (await user.call("POST", "/users/me/identities", { body: login() })).json();
    expectProblem(await other.call("DELETE", `/users/me/identities/${id}`), 404, "not_found");
    expectProblem(await other.call("DELETE", `/users/${user.id}/identities/${id}`), 404, "not_found");
    expect((await user.call("DELETE", `/users/me/identities/${id}`)).statusCode).toBe(204);
    expectProblem(await user.call("DELETE", `/users/me/identities/${id}`), 404, "not_found");
    expectProblem(await user.call("DELETE", "/users/me/identities/x"), 400, "validation_failed");
    expect((await other.call("POST", "/users/me/identities", { body: login() })).statusCode).toBe(201);
  });

  test("that are the only way to sign in stay", async () => {
    const { access_token } = (await signIn(login())).json();
    const call = (method: "GET" | "POST" | "DELETE", path: string, body?: object) =>
      shop.call(method, path, { body, headers: { authorization: `Bearer ${access_token}` } });
    const [{ id }] = (await call("GET", "/users/me/identities")).json().items;
    expectProblem(await call("DELETE", `/users/me/identities/${id}`), 403, "forbidden");
    const second = (await call("POST", "/users/me/identities", login({ id: 43 }))).json();
    const deletions = await meetAt(
      shop.sql,
      (tx) => tx`select from users for update`,
      [id, second.id].map((identity) => () => call("DELETE", `/users/me/identities/${identity}`)),
    );
    expect(deletions.map(({ statusCode }) => statusCode).sort()).toEqual([204, 403]);
    expect((await rows()).identities).toHaveLength(1);
  });

  test("are looked up by managers", async () => {
    const [manager, barista, user] = [
      await shop.as("manager"),
      await shop.as("barista"),
      await shop.as("customer"),
    ];
    const identity = (await user.call("POST", "/users/me/identities", { body: login() })).json();
    const known = ["provider=telegram&provider_id=42", "provider_id=42&username=Ann", "username=ann"];
    const unknown = ["provider=telegram&provider_id=4", "username=bob", "provider_id=42&username=bob"];
    for (const query of known) {
      const check = await manager.call("GET", `/users/check-identity?${query}`);
      expect(check.json()).toEqual({ status: "registered" });
      expect((await manager.call("GET", `/users/by-provider?${query}`)).json()).toEqual(identity);
    }
    for (const query of unknown) {
      const check = await manager.call("GET", `/users/check-identity?${query}`);
      expect(check.json()).toEqual({ status: "not_registered" });
      expectProblem(await manager.call("GET", `/users/by-provider?${query}`), 404, "not_found");
    }
    for (const path of ["/users/check-identity", "/users/by-provider"]) {
      for (const query of [
        "",
        "?provider=telegram",
        "?provider=google&provider_id=1",
        "?provider_id=",
        "?username=%00",
      ])
        expectProblem(await manager.call("GET", path + query), 400, "validation_failed");
      for (const { call } of [barista, user])
        expectProblem(await call("GET", `${path}?provider_id=42`), 403, "forbidden");
      expectProblem(await shop.call("GET", `${path}?provider_id=42`), 401, "unauthorized");
    }
    expect((await manager.call("GET", `/users/${user.id}/identities`)).json().items).toEqual([identity]);
  });

  test("are deleted with the user, and are free then", async () => {
    const manager = await shop.as("manager");
    const first = await me((await signIn(login())).json().access_token);
    expect((await manager.call("DELETE", `/users/${first.id}`)).statusCode).toBe(204);
    const second = await me((await signIn(login())).json().access_token);
    expect(second.id).not.toBe(first.id);
  });
});

test("an account without a password rejects every password", async () => {
  const user = await makeUser(shop.sql);
  await shop.sql`update users set password_hash = null where id = ${user.id}`;
  const body = { username: user.email, password: user.password };
  expectProblem(await shop.call("POST", "/auth/token", { body }), 401, "invalid_credentials");
});
