import { describe, expect, test } from "vitest";
import { makeUser } from "./factories.ts";
import { expectProblem, testShop } from "./harness.ts";

const shop = testShop();

const post = (path: string, body: unknown, headers = {}) => shop.call("POST", path, { body, headers });
const refresh = (refresh_token: string) => post("/auth/refresh", { refresh_token });
const rejected = async (token: string) => expectProblem(await refresh(token), 401, "invalid_refresh_token");

async function signIn(agent = "Phone") {
  const user = await makeUser(shop.sql);
  return { ...user, ...(await signInAs(user, agent)) };
}

async function signInAs(user: { email: string; password: string }, agent = "Phone") {
  const body = { username: user.email, password: user.password };
  const response = await post("/auth/token", body, { "user-agent": agent });
  return response.json() as { access_token: string; refresh_token: string };
}

/** As if every rotation had been so long ago. */
const pass = (interval: string) =>
  shop.sql`update refresh_tokens set rotated_at = rotated_at - ${interval}::interval`;

describe("a refresh token", () => {
  test("returns a new pair, which works", async () => {
    const { id, refresh_token } = await signIn();
    const response = await refresh(refresh_token);
    expect(response.statusCode, response.body).toBe(200);
    expect(response.headers["cache-control"]).toBe("no-store");
    const pair = response.json();
    expect(pair).toEqual({
      access_token: expect.any(String),
      token_type: "bearer",
      expires_in: 1800,
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(pair.refresh_token).not.toBe(refresh_token);
    const me = await shop.call("GET", "/users/me", {
      headers: { authorization: `Bearer ${pair.access_token}` },
    });
    expect(me.json().id).toBe(id);
    expect((await refresh(pair.refresh_token)).statusCode).toBe(200);
  });

  test("of five tabs at once gives each a pair that goes on", async () => {
    const { refresh_token } = await signIn();
    const responses = await Promise.all(Array.from({ length: 5 }, () => refresh(refresh_token)));
    expect(responses.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 200, 200]);
    await pass("21 seconds");
    for (const response of responses)
      expect((await refresh(response.json().refresh_token)).statusCode).toBe(200);
    expect(await shop.sql`select ended_at from sessions`).toEqual([{ ended_at: null }]);
  });

  test("that was rotated a moment ago is still valid", async () => {
    const { refresh_token } = await signIn();
    await refresh(refresh_token);
    await pass("19 seconds");
    expect((await refresh(refresh_token)).statusCode).toBe(200);
    // The grace runs from the first rotation, however often it is used.
    await pass("2 seconds");
    await rejected(refresh_token);
  });

  test("that is stolen and used later ends the whole family", async () => {
    const user = await signIn();
    const elsewhere = await signInAs(user, "Laptop");
    const second = (await refresh(user.refresh_token)).json().refresh_token;
    const third = (await refresh(second)).json().refresh_token;
    await pass("21 seconds");
    await rejected(user.refresh_token);
    for (const token of [third, second, user.refresh_token]) await rejected(token);
    // The other device is another family.
    expect((await refresh(elsewhere.refresh_token)).statusCode).toBe(200);
  });

  test("that is stolen ends the family also when it has expired", async () => {
    const { refresh_token } = await signIn();
    const second = (await refresh(refresh_token)).json().refresh_token;
    await pass("8 days");
    await shop.sql`update refresh_tokens set expires_at = now() where rotated_at is not null`;
    await rejected(refresh_token);
    await rejected(second);
  });

  test("expires", async () => {
    const { refresh_token } = await signIn();
    await shop.sql`update refresh_tokens set expires_at = now()`;
    await rejected(refresh_token);
  });

  test("returns the current role", async () => {
    const { id, refresh_token } = await signIn();
    await shop.sql`update users set role = 'barista' where id = ${id}`;
    const { access_token } = (await refresh(refresh_token)).json();
    const claims = JSON.parse(Buffer.from(access_token.split(".")[1], "base64url").toString());
    expect(claims.role).toBe("barista");
  });

  test("of a deleted user is rejected", async () => {
    const { id, refresh_token } = await signIn();
    await shop.sql`update users set deleted_at = now() where id = ${id}`;
    await rejected(refresh_token);
  });

  test("is no access token, nor the other way round", async () => {
    const { refresh_token, access_token } = await signIn();
    const headers = { authorization: `Bearer ${refresh_token}` };
    expectProblem(await shop.call("GET", "/users/me", { headers }), 401, "unauthorized");
    await rejected(access_token.slice(0, 200));
    await rejected("x");
  });

  test.each([
    ["nothing", {}],
    ["null", { refresh_token: null }],
    ["a number", { refresh_token: 1 }],
    ["an empty one", { refresh_token: "" }],
    ["a long one", { refresh_token: "x".repeat(201) }],
    ["NUL", { refresh_token: "x\0" }],
    ["an unknown key", { refresh_token: "x", role: "manager" }],
  ])("is asked for: %s is refused", async (_title, body) => {
    for (const path of ["/auth/refresh", "/auth/logout"])
      expectProblem(await post(path, body), 400, "validation_failed");
  });
});

describe("logging out", () => {
  test("ends the session and no other", async () => {
    const user = await signIn();
    const elsewhere = await signInAs(user);
    const second = (await refresh(user.refresh_token)).json().refresh_token;
    const response = await post("/auth/logout", { refresh_token: second });
    expect({ status: response.statusCode, body: response.body }).toEqual({ status: 204, body: "" });
    for (const token of [user.refresh_token, second]) await rejected(token);
    expect((await refresh(elsewhere.refresh_token)).statusCode).toBe(200);
  });

  test("is 204 for an unknown token, and twice", async () => {
    const { refresh_token } = await signIn();
    for (const token of ["never", refresh_token, refresh_token])
      expect((await post("/auth/logout", { refresh_token: token })).statusCode).toBe(204);
  });
});

describe("the sessions of a user", () => {
  test("are the devices that are signed in, newest first", async () => {
    const user = await signIn("Phone");
    const laptop = await signInAs(user, "Laptop");
    const gone = await signInAs(user, "Lost");
    const old = await signInAs(user, "Old");
    await post("/auth/logout", { refresh_token: gone.refresh_token });
    await shop.sql`
      update refresh_tokens set expires_at = now() - interval '1 second'
      where session_id = (select id from sessions where user_agent = 'Old')`;
    await rejected(old.refresh_token);
    const call = (path: string) =>
      shop.call("GET", path, { headers: { authorization: `Bearer ${laptop.access_token}` } });

    const response = await call("/users/me/sessions");
    expect(response.headers["cache-control"]).toBe("no-store");
    const { items, next_cursor } = response.json();
    const session = {
      id: expect.any(String),
      created_at: expect.any(String),
      last_used_at: expect.any(String),
    };
    expect(items).toEqual([
      { ...session, user_agent: "Laptop" },
      { ...session, user_agent: "Phone" },
    ]);
    expect(next_cursor).toBeNull();
    expect((await call(`/users/${user.id}/sessions`)).json().items).toEqual(items);

    const first = (await call("/users/me/sessions?limit=1")).json();
    const second = (await call(`/users/me/sessions?limit=1&cursor=${first.next_cursor}`)).json();
    expect([...first.items, ...second.items]).toEqual(items);
    expectProblem(await call("/users/me/sessions?cursor=x"), 400, "invalid_cursor");
  });

  test("are ended one by one", async () => {
    const { call, ...user } = await shop.as("customer");
    const [phone, laptop] = [await signInAs(user, "Phone"), await signInAs(user, "Laptop")];
    const { items } = (await call("GET", "/users/me/sessions")).json();
    const lost = items.find((item: { user_agent: string }) => item.user_agent === "Phone");
    expect((await call("DELETE", `/users/me/sessions/${lost.id}`)).statusCode).toBe(204);
    await rejected(phone.refresh_token);
    expect((await refresh(laptop.refresh_token)).statusCode).toBe(200);
    expectProblem(await call("DELETE", `/users/me/sessions/${lost.id}`), 404, "not_found");
    expectProblem(await call("DELETE", "/users/me/sessions/x"), 400, "validation_failed");
  });

  test("are visible only to the user and managers, who may end them", async () => {
    const { call, id, ...user } = await shop.as("customer");
    const { refresh_token } = await signInAs(user);
    const [{ id: session }] = (await call("GET", "/users/me/sessions")).json().items;
    for (const role of ["customer", "barista"] as const) {
      const other = await shop.as(role);
      expectProblem(await other.call("GET", `/users/${id}/sessions`), 404, "not_found");
      expectProblem(await other.call("DELETE", `/users/${id}/sessions/${session}`), 404, "not_found");
      expectProblem(await other.call("DELETE", `/users/me/sessions/${session}`), 404, "not_found");
    }
    expect((await refresh(refresh_token)).statusCode).toBe(200);
    const manager = await shop.as("manager");
    expect((await manager.call("GET", `/users/${id}/sessions`)).json().items).toHaveLength(1);
    expect((await manager.call("DELETE", `/users/${id}/sessions/${session}`)).statusCode).toBe(204);
    await rejected(refresh_token);
    expectProblem(await shop.call("GET", "/users/me/sessions"), 401, "unauthorized");
  });
});
