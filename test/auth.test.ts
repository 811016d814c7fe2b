import { createHash, createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { v7 as uuidv7 } from "uuid";
import { describe, expect, test } from "vitest";
import { makeUser } from "./factories.ts";
import { expectProblem, openShop, testShop } from "./harness.ts";

const secret = "the secret that signs and has 32 characters";
const olderSecret = "the secret before it that has 32 characters";
const shop = testShop({ env: { JWT_SECRET_KEY: `${secret}, ${olderSecret}` } });

const form = (fields: Record<string, string>) => ({
  payload: new URLSearchParams(fields).toString(),
  headers: { "content-type": "application/x-www-form-urlencoded" },
});

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
const decode = (part: string | undefined) => JSON.parse(Buffer.from(part!, "base64url").toString());

/** Signs a valid token, changed by the given claims and options. */
function forge(
  claims: Record<string, unknown>,
  { key = secret, header = {}, digest = "sha256" }: { key?: string; header?: object; digest?: string } = {},
): string {
  const now = Math.floor(Date.now() / 1000);
  const payload = { role: "manager", typ: "access", iat: now, exp: now + 60, jti: uuidv7(), ...claims };
  const signed = `${encode({ alg: "HS256", typ: "JWT", ...header })}.${encode(payload)}`;
  return `${signed}.${createHmac(digest, key).update(signed).digest("base64url")}`;
}

/** Calls a route for managers with this Authorization header. */
const callWithHeader = (authorization: string) =>
  shop.call("GET", "/admin/products", { headers: { authorization } });

const sessions = () => shop.sql`select user_id, user_agent from sessions`;

describe("signing in", () => {
  test.each([
    ["a form", form],
    ["JSON", (body: Record<string, string>) => ({ body })],
  ])("by %s returns a pair of tokens", async (_title, request) => {
    const { email, password } = await makeUser(shop.sql, "manager");
    const response = await shop.call("POST", "/auth/token", request({ username: email, password }));
    expect(response.statusCode, response.body).toBe(200);
    expect(response.headers["cache-control"]).toBe("no-store");
    expect(response.json()).toEqual({
      access_token: expect.any(String),
      token_type: "bearer",
      expires_in: 1800,
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect((await callWithHeader(`Bearer ${response.json().access_token}`)).statusCode).toBe(200);
  });

  test("finds the email in any case and with blanks around it", async () => {
    const { email, password } = await makeUser(shop.sql);
    const username = `  ${email.toUpperCase()} `;
    expect((await shop.call("POST", "/auth/token", { body: { username, password } })).statusCode).toBe(200);
    expect((await shop.call("POST", "/auth/token", form({ username, password }))).statusCode).toBe(200);
  });

  test("compares a password exactly: blanks and case count", async () => {
    const { email, password } = await makeUser(shop.sql);
    for (const wrong of [` ${password}`, `${password} `, password.toUpperCase()])
      expectProblem(
        await shop.call("POST", "/auth/token", { body: { username: email, password: wrong } }),
        401,
        "invalid_credentials",
      );
  });

  test("ignores the other fields of OAuth clients", async () => {
    const { email, password } = await makeUser(shop.sql);
    const oauth = { grant_type: "password", scope: "", client_id: "shop", client_secret: "unread" };
    const fields = { username: email, password, ...oauth };
    expect((await shop.call("POST", "/auth/token", form(fields))).statusCode).toBe(200);
    expect((await shop.call("POST", "/auth/token", { body: fields })).statusCode).toBe(200);
  });

  test("returns a JWT with exactly the documented claims", async () => {
    const { id, email, password } = await makeUser(shop.sql, "barista");
    const read = async () => {
      const response = await shop.call("POST", "/auth/token", { body: { username: email, password } });
      const [header, payload] = response.json().access_token.split(".");
      return { header: decode(header), payload: decode(payload) };
    };
    const { header, payload } = await read();
    expect(header).toEqual({ alg: "HS256", typ: "JWT" });
    expect(payload).toEqual({
      sub: id,
      role: "barista",
      typ: "access",
      iat: expect.any(Number),
      exp: payload.iat + 1800,
      jti: expect.any(String),
    });
    expect(Math.abs(payload.iat - Date.now() / 1000)).toBeLessThan(5);
    expect((await read()).payload.jti).not.toBe(payload.jti);
  });

  test("stores a session, and only the hash of the refresh token", async () => {
    const { id, email, password } = await makeUser(shop.sql);
    const response = await shop.call("POST", "/auth/token", {
      body: { username: email, password },
      headers: { "user-agent": "Phone" },
    });
    const token: string = response.json().refresh_token;
    expect(await sessions()).toEqual([{ user_id: id, user_agent: "Phone" }]);
    const [row, ...others] = await shop.sql`
      select token_hash, rotated_at, expires_at - created_at = interval '7 days' as lives_7_days
      from refresh_tokens`;
    const token_hash = createHash("sha256").update(token).digest();
    expect(row).toEqual({ token_hash, rotated_at: null, lives_7_days: true });
    expect(others).toEqual([]);
    const stored = await shop.sql`select row_to_json(refresh_tokens)::text as json from refresh_tokens`;
    expect(stored[0]!.json).not.toContain(token);
    expect(stored[0]!.json).not.toContain(Buffer.from(token, "base64url").toString("hex"));
  });

  test.each([
    ["an empty body", {}, "/password", "/username"],
    ["no password", { username: "a@example.com" }, "/password"],
    ["an empty password", { username: "a@example.com", password: "" }, "/password"],
    ["a number for a password", { username: "a@example.com", password: 12345678 }, "/password"],
    ["null for an email", { username: null, password: "12345678" }, "/username"],
    ["a NUL in the email", { username: "a\0@example.com", password: "12345678" }, "/username"],
    [
      "an email in place of a username",
      { email: "a@example.com", password: "12345678" },
      "/email",
      "/username",
    ],
    ["an unknown key", { username: "a@example.com", password: "12345678", remember: true }, "/remember"],
  ])("rejects %s", async (_title, body, ...paths) => {
    const problem = expectProblem(await shop.call("POST", "/auth/token", { body }), 400, "validation_failed");
    expect(problem.errors.map(({ path }: { path: string }) => path).sort()).toEqual(paths);
  });

  test("rejects an unknown or a repeated key of a form, and any other kind of body", async () => {
    const { email, password } = await makeUser(shop.sql);
    const fields = { username: email, password };
    const { payload, headers } = form(fields);
    for (const more of ["remember=1", `username=${email}`, "__proto__=1"])
      expectProblem(
        await shop.call("POST", "/auth/token", { payload: `${payload}&${more}`, headers }),
        400,
        "validation_failed",
      );
    expectProblem(
      await shop.call("POST", "/auth/token", { payload, headers: { "content-type": "text/plain" } }),
      415,
      "unsupported_media_type",
    );
    expect(await sessions()).toEqual([]);
  });
});

describe("a sign-in that fails", () => {
  const signIn = (username: string, password: string) =>
    shop.call("POST", "/auth/token", { body: { username, password } });

  /** Returns the problem without what differs from request to request. */
  const refusal = async (username: string, password: string) => {
    const response = await signIn(username, password);
    const { request_id, ...problem } = expectProblem(response, 401, "invalid_credentials");
    expect(response.headers["www-authenticate"]).toBe("Bearer");
    return problem;
  };

  test("does not reveal which emails have an account", async () => {
    const user = await makeUser(shop.sql);
    const unverified = await makeUser(shop.sql, "customer", { verified: false });
    const gone = await makeUser(shop.sql);
    await shop.sql`update users set deleted_at = now() where id = ${gone.id}`;
    const withoutPassword = await makeUser(shop.sql);
    await shop.sql`update users set password_hash = null where id = ${withoutPassword.id}`;

    const wrong = await refusal(user.email, "wrong horse");
    expect(await refusal("nobody@example.com", user.password)).toEqual(wrong);
    expect(await refusal("no email at all", user.password)).toEqual(wrong);
    expect(await refusal(unverified.email, "wrong horse")).toEqual(wrong);
    expect(await refusal(gone.email, gone.password)).toEqual(wrong);
    expect(await refusal(withoutPassword.email, withoutPassword.password)).toEqual(wrong);
    expect(await sessions()).toEqual([]);
  });

  test("says that an email is not verified only after the right password", async () => {
    const user = await makeUser(shop.sql, "customer", { verified: false });
    expectProblem(await signIn(user.email, user.password), 403, "email_not_verified");
    expect(await sessions()).toEqual([]);
  });
});

describe("an access token", () => {
  test("is rejected unless it is ours, for access, and unexpired", async () => {
    const { id: sub, email, password } = await makeUser(shop.sql, "manager");
    expect((await callWithHeader(`Bearer ${forge({ sub })}`)).statusCode).toBe(200);

    const now = Math.floor(Date.now() / 1000);
    const good = forge({ sub });
    const [header, payload, signature] = good.split(".");
    const pair = await shop.call("POST", "/auth/token", { body: { username: email, password } });
    const refused: Record<string, string> = {
      "alg none": `${encode({ alg: "none", typ: "JWT" })}.${payload}.`,
      "alg none, signed": forge({ sub }, { header: { alg: "none" } }),
      "alg None": `${encode({ alg: "None", typ: "JWT" })}.${payload}.`,
      "another algorithm of the same secret": forge({ sub }, { header: { alg: "HS512" }, digest: "sha512" }),
      "a foreign secret": forge({ sub }, { key: "some other secret that has 32 characters too" }),
      "the list of secrets for a secret": forge({ sub }, { key: `${secret}, ${olderSecret}` }),
      "no signature": `${header}.${payload}.`,
      "two parts": `${header}.${payload}`,
      "another one's payload": `${header}.${encode({ ...decode(payload), sub: uuidv7() })}.${signature}`,
      expired: forge({ sub, iat: now - 100, exp: now - 1 }),
      "expired, of the older secret": forge({ sub, iat: now - 100, exp: now - 1 }, { key: olderSecret }),
      "without exp": forge({ sub, exp: undefined }),
      "null for exp": forge({ sub, exp: null }),
      "text for exp": forge({ sub, exp: "2999-01-01" }),
      "typ refresh": forge({ sub, typ: "refresh" }),
      "without typ": forge({ sub, typ: undefined }),
      "without sub": forge({}),
      "a sub that is no id": forge({ sub: "me" }),
      "a number for sub": forge({ sub: 1 }),
      "an unknown role": forge({ sub, role: "admin" }),
      "a user that never was": forge({ sub: uuidv7() }),
      "a refresh token": pair.json().refresh_token,
      "no token at all": "token",
    };
    for (const [title, token] of Object.entries(refused)) {
      const response = await callWithHeader(`Bearer ${token}`);
      expect(response.statusCode, title).toBe(401);
      expectProblem(response, 401, "unauthorized");
      expect(response.headers["www-authenticate"]).toBe("Bearer");
    }
  });

  test("is rejected once it has expired, however often it was valid before", async () => {
    const { id: sub } = await makeUser(shop.sql, "manager");
    for (const key of [secret, olderSecret]) {
      const token = forge({ sub, exp: Math.floor(Date.now() / 1000) + 2 }, { key });
      for (let n = 0; n < 3; n++) expect((await callWithHeader(`Bearer ${token}`)).statusCode).toBe(200);
      await sleep(2_100);
      expectProblem(await callWithHeader(`Bearer ${token}`), 401, "unauthorized");
    }
  });

  test("of an older secret of the list is valid; the first one signs", async () => {
    const { id, email, password } = await makeUser(shop.sql, "manager");
    expect((await callWithHeader(`Bearer ${forge({ sub: id }, { key: olderSecret })}`)).statusCode).toBe(200);
    const pair = await shop.call("POST", "/auth/token", { body: { username: email, password } });
    const [header, payload, signature] = pair.json().access_token.split(".");
    expect(signature).toBe(createHmac("sha256", secret).update(`${header}.${payload}`).digest("base64url"));
  });

  test("is valid as long as the settings say", async () => {
    const other = await openShop({ env: { JWT_ACCESS_TOKEN_EXPIRE_MINUTES: "5" } });
    try {
      const { email, password } = await makeUser(other.sql);
      const pair = await other.call("POST", "/auth/token", { body: { username: email, password } });
      const { iat, exp } = decode(pair.json().access_token.split(".")[1]);
      expect({ expires_in: pair.json().expires_in, lives: exp - iat }).toEqual({
        expires_in: 300,
        lives: 300,
      });
    } finally {
      await other.close();
    }
  });

  test.each([
    ["nothing", () => ""],
    ["the scheme alone", () => "Bearer"],
    ["the scheme and a blank", () => "Bearer "],
    ["the token alone", (token: string) => token],
    ["another scheme", (token: string) => `Basic ${token}`],
    ["a scheme that begins like it", (token: string) => `BearerX ${token}`],
    ["no blank", (token: string) => `Bearer${token}`],
    ["two tokens", (token: string) => `Bearer ${token} ${token}`],
    ["two headers in one", (token: string) => `Bearer ${token}, Bearer ${token}`],
    ["quotes", (token: string) => `Bearer "${token}"`],
    ["a very long token", () => `Bearer ${"a".repeat(10_000)}`],
    ["dots", () => "Bearer ..."],
  ])("is not read from a header of %s", async (_title, header) => {
    const { token } = await shop.as("manager");
    const response = await callWithHeader(header(token));
    expectProblem(response, 401, "unauthorized");
    expect(response.headers["www-authenticate"]).toBe("Bearer");
  });

  test("is read whatever the case of the scheme", async () => {
    const { token } = await shop.as("manager");
    for (const scheme of ["Bearer", "bearer", "BEARER"])
      expect((await callWithHeader(`${scheme} ${token}`)).statusCode).toBe(200);
  });
});

describe("a staff route", () => {
  test("requires the current role, not the one of the token", async () => {
    const manager = await shop.as("manager");
    const read = () => manager.call("GET", "/admin/products");
    expect((await read()).statusCode).toBe(200);
    for (const role of ["barista", "customer"]) {
      await shop.sql`update users set role = ${role} where id = ${manager.id}`;
      expectProblem(await read(), 403, "forbidden");
    }
  });

  test("opens to a customer who was made a manager, without a new token", async () => {
    const { id, call } = await shop.as("customer");
    expectProblem(await call("GET", "/admin/products"), 403, "forbidden");
    await shop.sql`update users set role = 'manager' where id = ${id}`;
    expect((await call("GET", "/admin/products")).statusCode).toBe(200);
  });

  test("knows no more of a manager who left", async () => {
    const { id, call } = await shop.as("manager");
    await shop.sql`update users set deleted_at = now() where id = ${id}`;
    const response = await call("GET", "/admin/products");
    expectProblem(response, 401, "unauthorized");
    expect(response.headers["www-authenticate"]).toBe("Bearer");
  });
});
