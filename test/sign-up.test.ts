import { createHash } from "node:crypto";
import { pino } from "pino";
import { afterAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { cleanUp as cleanUpExcept } from "../src/auth/clean-up.ts";
import { requestCode } from "../src/auth/code-queries.ts";
import { openMailer } from "../src/auth/mail.ts";
import { selectOrdersOfUser } from "../src/orders/queries.ts";
import { selectPaymentsOfUser } from "../src/payments/queries.ts";
import { makeProduct, makeUser } from "./factories.ts";
import { eventually, expectProblem, meetAt, openShop, testShop, testWorker, whenNotBusy } from "./harness.ts";
import { openMailbox } from "./mailbox.ts";

const mailbox = await openMailbox();
afterAll(mailbox.close);
const shop = testShop({
  env: { SMTP_URL: mailbox.url, MAIL_FROM: "The shop <hello@shop.example>", TELEGRAM_BOT_TOKEN: "1:t" },
});
testWorker(shop);

// New addresses for each test, since counts and emails under way outlive a test.
let [ann, bob, fresh] = ["", "", ""];
let tests = 0;
beforeEach(() => {
  tests += 1;
  [ann, bob, fresh] = [`ann${tests}@example.com`, `bob${tests}@example.com`, `new${tests}@example.com`];
  mailbox.letters.length = 0;
  mailbox.broken = false;
});

const password = "correct horse";
const post = (path: string, body: unknown) => shop.call("POST", path, { body });
const signUp = (email: string, more: object = {}) => post("/auth/signup", { email, password, ...more });
const signIn = (username: string, word = password) => post("/auth/token", { username, password: word });
const verify = (email: string, code: string) => post("/auth/verify", { email, code });
const users = () =>
  shop.sql`select email, verified_at is not null as verified, role from users order by email`;
const events = () => shop.sql`select type, subject_id, data from events order by id`;

const cleanUp = () => cleanUpExcept(shop.sql, [selectOrdersOfUser, selectPaymentsOfUser]);

/** Waits until the worker has no job left. */
const idle = () => eventually(async () => (await shop.sql`select from graphile_worker.jobs`).length === 0);

/** Returns another code. */
const other = (code: string) => code.replace(/./g, (digit) => `${(Number(digit) + 1) % 10}`);

/** Pretends that the last code for this address was sent a minute ago. */
const passMinute = (email: string) =>
  shop.sql`update codes set issued_at = issued_at - interval '1 minute' where email = ${email}`;

describe("signing up", () => {
  test("makes a customer who signs in once the address is verified", async () => {
    const response = await signUp(ann, {
      first_name: "Ann",
      last_name: "Lee",
      phone_number: "+15550100",
    });
    expect(response.statusCode, response.body).toBe(201);
    expect(response.headers["cache-control"]).toBe("no-store");
    const user = response.json();
    expect(user).toEqual({
      id: expect.any(String),
      email: ann,
      pending_email: null,
      role: "customer",
      first_name: "Ann",
      last_name: "Lee",
      phone_number: "+15550100",
      verified: false,
      created_at: expect.any(String),
      updated_at: user.created_at,
    });
    expectProblem(await signIn(ann), 403, "email_not_verified");

    const code = await mailbox.codeFor(ann);
    const verified = await verify(ann, code);
    expect(verified.statusCode, verified.body).toBe(200);
    expect(verified.json()).toEqual({ ...user, verified: true, updated_at: expect.any(String) });
    expect((await signIn(ann)).statusCode).toBe(200);
    expect(await events()).toEqual([
      { type: "user.created", subject_id: user.id, data: { id: user.id, role: "customer" } },
      { type: "user.verified", subject_id: user.id, data: { id: user.id, role: "customer" } },
    ]);
  });

  test("sends a short message of two plain parts", async () => {
    await signUp(ann);
    const code = await mailbox.codeFor(ann);
    expect(mailbox.letters).toHaveLength(1);
    const { raw } = mailbox.letters[0]!;
    expect(raw).toMatch(/^From: The shop <hello@shop.example>/m);
    expect(raw).toMatch(/^Subject: Verify your email address/m);
    expect(raw).toMatch(/^Content-Type: text\/plain/m);
    expect(raw).toMatch(/^Content-Type: text\/html/m);
    expect(raw.split(code)).toHaveLength(3);
    expect(raw).not.toMatch(/<img|https?:/);
    expect(raw.length).toBeLessThan(2_000);
  });

  test("twenty times at once makes one user and sends one message", async () => {
    const responses = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        whenNotBusy(() => signUp(n % 2 ? ann : `  ${ann.toUpperCase()} `)),
      ),
    );
    expect(responses.filter(({ statusCode }) => statusCode === 201)).toHaveLength(1);
    for (const response of responses)
      if (response.statusCode !== 201) expectProblem(response, 409, "email_taken");
    expect(await users()).toEqual([{ email: ann, verified: false, role: "customer" }]);
    expect(await events()).toHaveLength(1);
    await idle();
    expect(mailbox.letters).toHaveLength(1);
  });

  test("finds the same address whatever its case and the blanks around it", async () => {
    expect((await signUp(` \t${ann.toUpperCase()}  `)).json().email).toBe(ann);
    const code = await mailbox.codeFor(ann);
    expectProblem(await signUp(ann.toUpperCase()), 409, "email_taken");
    expect((await verify(` ${ann.toUpperCase()}`, ` ${code} `)).statusCode).toBe(200);
    expect((await signIn(` ${ann.toUpperCase()} `)).statusCode).toBe(200);
  });

  test("rejects a phone number that has an account", async () => {
    await signUp(ann, { phone_number: "+15550100" });
    expectProblem(await signUp(bob, { phone_number: "+15550100" }), 409, "phone_taken");
    expect(await users()).toHaveLength(1);
    expect(await events()).toHaveLength(1);
  });

  const good = { email: "ann@example.com", password };
  test.each([
    ["an empty body", {}, "/email", "/password"],
    ["null", { email: null, password: null }, "/email", "/password"],
    ["numbers", { email: 1, password: 12345678 }, "/email", "/password"],
    ["no address", { ...good, email: "ann" }, "/email"],
    ["an address without a host", { ...good, email: "ann@" }, "/email"],
    ["an address of a host of one word", { ...good, email: "ann@localhost" }, "/email"],
    ["two addresses", { ...good, email: "ann@example.com, bob@example.com" }, "/email"],
    ["an address with a header", { ...good, email: "ann@example.com\r\nBcc: bob@example.com" }, "/email"],
    ["a name before the address", { ...good, email: "Ann <ann@example.com>" }, "/email"],
    ["a long address", { ...good, email: `${"a".repeat(64)}@${"b.".repeat(100)}example.com` }, "/email"],
    ["an address with NUL", { ...good, email: "ann\0@example.com" }, "/email"],
    ["a password of 7", { ...good, password: "1234567" }, "/password"],
    ["a password of 129", { ...good, password: "x".repeat(129) }, "/password"],
    ["a password with NUL", { ...good, password: "12345678\0" }, "/password"],
    ["a password of blanks", { ...good, password: "        " }, "/password"],
    ["an empty name", { ...good, first_name: "" }, "/first_name"],
    ["a name of blanks", { ...good, first_name: "  " }, "/first_name"],
    ["a name of 101", { ...good, last_name: "x".repeat(101) }, "/last_name"],
    ["null for a name", { ...good, last_name: null }, "/last_name"],
    ["no phone number", { ...good, phone_number: "call me" }, "/phone_number"],
    ["a role", { ...good, role: "manager" }, "/role"],
    ["verified", { ...good, verified: true }, "/verified"],
    ["verified_at", { ...good, verified_at: "2026-01-01T00:00:00Z" }, "/verified_at"],
    ["an id", { ...good, id: "01920000-0000-7000-8000-000000000009" }, "/id"],
    ["a hash", { ...good, password_hash: "x" }, "/password_hash"],
  ])("rejects %s", async (_title, body, ...paths) => {
    const problem = expectProblem(await post("/auth/signup", body), 400, "validation_failed");
    expect(problem.errors.map(({ path }: { path: string }) => path).sort()).toEqual(paths);
    expect(await users()).toEqual([]);
  });

  test("takes passwords of 8 and of 128", async () => {
    for (const [n, word] of ["12345678", "x".repeat(128)].entries()) {
      const email = `user${n}@example.com`;
      expect((await post("/auth/signup", { email, password: word })).statusCode).toBe(201);
      expectProblem(await signIn(email, word), 403, "email_not_verified");
    }
  });
});

describe("a code", () => {
  async function start() {
    await signUp(ann);
    return mailbox.codeFor(ann);
  }
  const rejected = async (code: string) => expectProblem(await verify(ann, code), 400, "invalid_code");

  test("is good once, also when it comes four times at once", async () => {
    const code = await start();
    const responses = await Promise.all(Array.from({ length: 4 }, () => verify(ann, code)));
    expect(responses.map(({ statusCode }) => statusCode).sort()).toEqual([200, 400, 400, 400]);
    await rejected(code);
    expect(await events()).toHaveLength(2);
  });

  test("is void after five wrong tries, however many come at once", async () => {
    const code = await start();
    await Promise.all(Array.from({ length: 5 }, () => rejected(other(code))));
    await rejected(code);
    expect(await shop.sql`select attempts, used_at from codes where code_hash is not null`).toEqual([
      { attempts: 5, used_at: null },
    ]);
    expect(await users()).toMatchObject([{ verified: false }]);
  });

  test("is good at the fifth try", async () => {
    const code = await start();
    for (let n = 0; n < 4; n++) await rejected(other(code));
    expect((await verify(ann, code)).statusCode).toBe(200);
  });

  test("is good for fifteen minutes", async () => {
    const code = await start();
    const [row] = await shop.sql`
      select expires_at - issued_at = interval '15 minutes' as is_15_minutes from codes where code_hash is not null`;
    expect(row).toEqual({ is_15_minutes: true });
    await shop.sql`update codes set expires_at = now()`;
    await rejected(code);
    expect(await users()).toMatchObject([{ verified: false }]);
  });

  test("voids the one before it", async () => {
    const code = await start();
    await passMinute(ann);
    expect((await post("/auth/verify/resend", { email: ann })).statusCode).toBe(202);
    const second = await mailbox.codeFor(ann, 2);
    // Once in a million they are the same.
    if (second !== code) await rejected(code);
    expect((await verify(ann, second)).statusCode).toBe(200);
  });

  test("is for its address and its purpose alone", async () => {
    const code = await start();
    await signUp(bob);
    await mailbox.codeFor(bob);
    expectProblem(await verify(bob, code), 400, "invalid_code");
    expectProblem(await verify("nobody@example.com", code), 400, "invalid_code");
    const reset = { email: ann, code, password: "another horse" };
    expectProblem(await post("/auth/password/reset", reset), 400, "invalid_code");
  });

  test("is at rest only under a key, and in no job", async () => {
    mailbox.broken = true;
    const { statusCode } = await signUp(ann, { phone_number: "+15550100" });
    expect(statusCode).toBe(201);
    const [job] = await eventually(async () => {
      const jobs = await shop.sql`
        select payload from graphile_worker._private_jobs where attempts > 0 and locked_at is null`;
      return jobs.length > 0 ? jobs : undefined;
    });
    const [code] = await shop.sql`select id, code_hash, issued_at from codes`;
    expect(job).toEqual({ payload: { code_id: code!.id } });
    // An unsent code is revoked, so that the next attempt does not wait for a minute.
    expect(code).toMatchObject({ code_hash: null, issued_at: null });
    mailbox.broken = false;
    await shop.sql`update graphile_worker._private_jobs set run_at = now()`;
    expect((await verify(ann, await mailbox.codeFor(ann))).statusCode).toBe(200);
  });

  test("is sent at most once a minute for each purpose, signing up counted", async () => {
    await start();
    for (let n = 0; n < 3; n++) {
      expect((await post("/auth/verify/resend", { email: ann })).statusCode).toBe(202);
      await idle();
    }
    expect(mailbox.letters).toHaveLength(1);
    await post("/auth/password/forgot", { email: ann });
    await post("/auth/password/forgot", { email: ann.toUpperCase() });
    await idle();
    expect(mailbox.letters).toHaveLength(2);
    await passMinute(ann);
    await post("/auth/verify/resend", { email: ann });
    await mailbox.codeFor(ann, 3);
  });

  test("that two workers make at once is sent once", async () => {
    await shop.sql.begin((tx) => requestCode(tx, "reset_password", "later@example.com"));
    await idle();
    const user = await makeUser(shop.sql);
    await shop.sql`update users set email = 'later@example.com' where id = ${user.id}`;
    const [code] = await shop.sql`select id from codes`;
    const mailers = await Promise.all(
      [1, 2].map(() => openMailer(shop.app.settings, shop.sql, pino({ level: "silent" }))),
    );
    await Promise.all(mailers.map((mailer) => mailer.sendCode(code!.id)));
    for (const mailer of mailers) mailer.close();
    expect(mailbox.letters).toHaveLength(1);
  });

  test("is not delayed by a request from before there was an account", async () => {
    await post("/auth/verify/resend", { email: ann });
    await idle();
    await start();
  });
});

describe("asking for a code", () => {
  test.each(["/auth/verify/resend", "/auth/password/forgot"])(
    "by %s responds the same for every address, and sends only to an account",
    async (path) => {
      const user = await makeUser(shop.sql, "customer", { verified: path.includes("forgot") });
      for (const email of [user.email, "nobody@example.com", ` ${user.email.toUpperCase()}`]) {
        const response = await post(path, { email });
        expect({ status: response.statusCode, body: response.body }).toEqual({ status: 202, body: "" });
      }
      await idle();
      expect(mailbox.letters.map(({ to }) => to)).toEqual([user.email]);
    },
  );

  test("to verify sends nothing to a verified user", async () => {
    const user = await makeUser(shop.sql);
    expect((await post("/auth/verify/resend", { email: user.email })).statusCode).toBe(202);
    await idle();
    expect(mailbox.letters).toEqual([]);
  });

  test.each([
    ["no email", {}],
    ["null", { email: null }],
    ["a list", { email: ["ann@example.com"] }],
    ["an unknown key", { email: "ann@example.com", role: "manager" }],
    ["what is no address", { email: "ann" }],
  ])("is refused with %s", async (_title, body) => {
    for (const path of ["/auth/verify/resend", "/auth/password/forgot"])
      expectProblem(await post(path, body), 400, "validation_failed");
    expect(await shop.sql`select from codes`).toHaveLength(0);
  });
});

describe("a reset", () => {
  async function forget(email: string) {
    await post("/auth/password/forgot", { email });
    return mailbox.codeFor(email);
  }
  const reset = (email: string, code: string, word = "another horse") =>
    post("/auth/password/reset", { email, code, password: word });

  test("sets the password and ends every session", async () => {
    const user = await makeUser(shop.sql);
    const pairs = [await signIn(user.email), await signIn(user.email)].map((response) => response.json());
    const response = await reset(user.email, await forget(user.email));
    expect({ status: response.statusCode, body: response.body }).toEqual({ status: 204, body: "" });
    expectProblem(await signIn(user.email), 401, "invalid_credentials");
    expect((await signIn(user.email, "another horse")).statusCode).toBe(200);
    for (const { refresh_token } of pairs)
      expectProblem(await post("/auth/refresh", { refresh_token }), 401, "invalid_refresh_token");
  });

  test("is refused with a wrong code, and changes nothing", async () => {
    const user = await makeUser(shop.sql);
    const { refresh_token } = (await signIn(user.email)).json();
    const code = await forget(user.email);
    expectProblem(await reset(user.email, other(code)), 400, "invalid_code");
    expectProblem(await reset("nobody@example.com", code), 400, "invalid_code");
    expect((await signIn(user.email)).statusCode).toBe(200);
    expect((await post("/auth/refresh", { refresh_token })).statusCode).toBe(200);
  });

  test("twice at once sets one of the passwords", async () => {
    const user = await makeUser(shop.sql);
    const code = await forget(user.email);
    const words = ["first horse", "second horse"];
    const statuses = (await Promise.all(words.map((word) => reset(user.email, code, word)))).map(
      ({ statusCode }) => statusCode,
    );
    expect(statuses.toSorted()).toEqual([204, 400]);
    expect((await signIn(user.email, words[statuses.indexOf(204)])).statusCode).toBe(200);
  });

  test("verifies the address of an unverified user", async () => {
    const user = await makeUser(shop.sql, "customer", { verified: false });
    expect((await reset(user.email, await forget(user.email))).statusCode).toBe(204);
    expect((await signIn(user.email, "another horse")).statusCode).toBe(200);
    expect(await events()).toMatchObject([{ type: "user.verified", subject_id: user.id }]);
  });

  test("drops the pending address of a thief", async () => {
    const user = await shop.as("customer");
    await user.call("PATCH", "/users/me", { body: { email: "thief@example.com" } });
    const code = await mailbox.codeFor("thief@example.com");
    await reset(user.email, await forget(user.email));
    expectProblem(await verify("thief@example.com", code), 400, "invalid_code");
    expect((await signIn(user.email, "another horse")).statusCode).toBe(200);
  });

  test("rejects the passwords that sign-up rejects, without counting an attempt", async () => {
    const user = await makeUser(shop.sql);
    const code = await forget(user.email);
    for (const word of ["1234567", "x".repeat(129), "12345678\0", "        "])
      expectProblem(await reset(user.email, code, word), 400, "validation_failed");
    expect(await shop.sql`select attempts from codes`).toEqual([{ attempts: 0 }]);
  });

  test("during a sign-in with the old password leaves no session of it", async () => {
    const user = await makeUser(shop.sql);
    const code = await forget(user.email);
    const [response] = await Promise.all([signIn(user.email), reset(user.email, code)]);
    if (response.statusCode === 200)
      expectProblem(
        await post("/auth/refresh", { refresh_token: response.json().refresh_token }),
        401,
        "invalid_refresh_token",
      );
    else expectProblem(response, 401, "invalid_credentials");
  });
});

describe("a changed email", () => {
  test("signs in once it is verified; the old one until then", async () => {
    const user = await shop.as("customer");
    const { refresh_token } = (await signIn(user.email)).json();
    const response = await user.call("PATCH", "/users/me", { body: { email: ` ${fresh.toUpperCase()}` } });
    expect(response.json()).toMatchObject({ email: user.email, pending_email: fresh });
    expect((await signIn(user.email)).statusCode).toBe(200);
    expectProblem(await signIn(fresh), 401, "invalid_credentials");

    const code = await mailbox.codeFor(fresh);
    expectProblem(await verify(user.email, code), 400, "invalid_code");
    const verified = await verify(fresh, code);
    expect(verified.json()).toMatchObject({
      id: user.id,
      email: fresh,
      pending_email: null,
      verified: true,
    });
    expect((await signIn(fresh)).statusCode).toBe(200);
    expectProblem(await signIn(user.email), 401, "invalid_credentials");
    expect((await post("/auth/refresh", { refresh_token })).statusCode).toBe(200);
  });

  test("can be sent again, and taken back by the old one", async () => {
    const user = await shop.as("customer");
    await user.call("PATCH", "/users/me", { body: { email: fresh } });
    await mailbox.codeFor(fresh);
    await passMinute(fresh);
    await post("/auth/verify/resend", { email: fresh });
    const code = await mailbox.codeFor(fresh, 2);
    const back = await user.call("PATCH", "/users/me", { body: { email: user.email } });
    expect(back.json()).toMatchObject({ email: user.email, pending_email: null });
    expectProblem(await verify(fresh, code), 400, "invalid_code");
  });

  test("stays when the address before it is proved first", async () => {
    const { id, email } = await makeUser(shop.sql, "customer", { verified: false });
    const manager = await shop.as("manager");
    await post("/auth/verify/resend", { email });
    await manager.call("PATCH", `/users/${id}`, { body: { email: fresh } });
    const [old, code] = [await mailbox.codeFor(email), await mailbox.codeFor(fresh)];
    expect((await verify(email, old)).json()).toMatchObject({ email, pending_email: fresh });
    expect((await verify(fresh, code)).json()).toMatchObject({ id, email: fresh, pending_email: null });
  });

  test("is rejected if another user has it, or it is pending", async () => {
    const [user, holder] = [await shop.as("customer"), await shop.as("customer")];
    await holder.call("PATCH", "/users/me", { body: { email: fresh } });
    for (const email of [holder.email, holder.email.toUpperCase(), fresh])
      expectProblem(await user.call("PATCH", "/users/me", { body: { email } }), 409, "email_taken");
    expect((await user.call("GET", "/users/me")).json().pending_email).toBeNull();
  });

  test("is rejected if another user signed up with it meanwhile", async () => {
    const user = await shop.as("customer");
    await user.call("PATCH", "/users/me", { body: { email: fresh } });
    const code = await mailbox.codeFor(fresh);
    expect((await signUp(fresh)).statusCode).toBe(201);
    expectProblem(await verify(fresh, code), 409, "email_taken");
    expect((await user.call("GET", "/users/me")).json()).toMatchObject({ email: user.email });
  });
});

describe("clean-up", () => {
  const age = (email: string, interval: string) =>
    shop.sql`update users set created_at = now() - ${interval}::interval where email = ${email}`;

  test("deletes users unverified for two days, and frees the address", async () => {
    const young = await makeUser(shop.sql, "customer", { verified: false });
    const verified = await makeUser(shop.sql);
    await signUp("old@example.com");
    const code = await mailbox.codeFor("old@example.com");
    await age(young.email, "47 hours");
    await age(verified.email, "3 days");
    await age("old@example.com", "49 hours");
    await cleanUp();
    expect((await users()).map(({ email }) => email)).toEqual([young.email, verified.email].sort());
    expectProblem(await verify("old@example.com", code), 400, "invalid_code");
    expect((await signUp("old@example.com")).statusCode).toBe(201);
  });

  test("keeps users with an order or a payment, and deletes the others", async () => {
    const [ordered, declined, nobody] = await Promise.all(
      [1, 2, 3].map(() => makeUser(shop.sql, "customer", { verified: false })),
    );
    const manager = await shop.as("manager");
    const product = await makeProduct(shop.sql);
    for (const [{ id }, status] of [
      [ordered!, 201],
      [declined!, 402],
    ] as const) {
      shop.provider.answer = () => ({ status: status === 201 ? 200 : 402 });
      const body = { product_id: product.id, quantity: 1 };
      await manager.call("POST", `/users/${id}/cart/items`, { body });
      const placed = await manager.call("POST", `/users/${id}/orders`, { body: {} });
      expect(placed.statusCode, placed.body).toBe(status);
    }
    for (const { email } of [ordered!, declined!, nobody!]) await age(email, "3 days");
    await cleanUp();
    expect((await users()).map(({ email }) => email)).toEqual(
      [ordered!.email, declined!.email, manager.email].sort(),
    );
  });

  test("keeps a user who verifies in the same moment", async () => {
    const user = await makeUser(shop.sql, "customer", { verified: false });
    await age(user.email, "3 days");
    await meetAt(shop.sql, (tx) => tx`update users set verified_at = now() where id = ${user.id}`, [
      () => cleanUp(),
    ]);
    expect(await users()).toMatchObject([{ email: user.email, verified: true }]);
  });

  test("by two at once removes the rows once", async () => {
    for (let n = 0; n < 20; n++) {
      const { email } = await makeUser(shop.sql, "customer", { verified: false });
      await age(email, "3 days");
    }
    await Promise.all([cleanUp(), cleanUp(), cleanUp()]);
    expect(await users()).toEqual([]);
  });

  test("deletes expired codes, tokens, sessions and pending addresses, and no others", async () => {
    const user = await shop.as("customer");
    const live = (await signIn(user.email)).json();
    const expired = (await signIn(user.email)).json();
    const ended = (await signIn(user.email)).json();
    await post("/auth/logout", { refresh_token: ended.refresh_token });
    const [token] =
      await shop.sql`select session_id from refresh_tokens order by created_at offset 1 limit 1`;
    await shop.sql`update refresh_tokens set expires_at = now() where session_id = ${token!.session_id}`;
    await post("/auth/password/forgot", { email: user.email });
    await post("/auth/password/forgot", { email: "nobody@example.com" });
    await mailbox.codeFor(user.email);
    await idle();
    await shop.sql`update users set pending_email = ${fresh}, pending_email_since = now() - interval '3 days'`;

    await cleanUp();
    expect(await shop.sql`select from sessions`).toHaveLength(1);
    expect(await shop.sql`select from refresh_tokens`).toHaveLength(1);
    expect(await shop.sql`select from codes`).toHaveLength(2);
    expect(await shop.sql`select pending_email from users`).toEqual([{ pending_email: null }]);
    for (const { refresh_token } of [expired, ended])
      expectProblem(await post("/auth/refresh", { refresh_token }), 401, "invalid_refresh_token");
    expect((await post("/auth/refresh", { refresh_token: live.refresh_token })).statusCode).toBe(200);

    await shop.sql`update codes set expires_at = now() where code_hash is not null`;
    await shop.sql`update codes set requested_at = now() - interval '2 hours'`;
    await cleanUp();
    expect(await shop.sql`select from codes`).toHaveLength(0);
  });

  test("runs when a worker starts", async () => {
    const other = await openShop();
    onTestFinished(other.close);
    const user = await makeUser(other.sql, "customer", { verified: false });
    await other.sql`update users set created_at = now() - interval '3 days'`;
    const { startWorker } = await import("../src/jobs.ts");
    const worker = await startWorker(
      other.app.settings as Parameters<typeof startWorker>[0],
      other.sql,
      pino({ level: "silent" }),
    );
    onTestFinished(worker.stop);
    await eventually(async () => (await other.sql`select from users where id = ${user.id}`).length === 0);
  });
});

describe("without SMTP_URL", () => {
  const open = async (env: Record<string, string>) => {
    const other = await openShop({ env });
    onTestFinished(other.close);
    return other;
  };
  const production = {
    NODE_ENV: "production",
    JWT_SECRET_KEY: "a secret of the tests that is long enough",
  };

  test("production says so, rejects sign-ups, and serves other requests", async () => {
    const other = await open(production);
    const user = await makeUser(other.sql);
    const refusals: [string, object][] = [
      ["/auth/signup", { email: "ann@example.com", password }],
      ["/auth/password/forgot", { email: user.email }],
      ["/auth/password/forgot", { email: "nobody@example.com" }],
      ["/auth/verify/resend", { email: user.email }],
    ];
    for (const [path, body] of refusals)
      expectProblem(await other.call("POST", path, { body }), 503, "mail_unavailable");
    const { call } = await other.as("customer");
    expectProblem(await call("PATCH", "/users/me", { body: { email: fresh } }), 503, "mail_unavailable");
    expect((await call("PATCH", "/users/me", { body: { first_name: "Ann" } })).statusCode).toBe(200);
    expect(await other.sql`select from graphile_worker.jobs`).toHaveLength(0);
    expect(await other.sql`select from users`).toHaveLength(2);
    const health = await other.call("GET", "/health");
    expect({ status: health.statusCode, body: health.json() }).toEqual({
      status: 200,
      body: { status: "degraded", checks: { database: "ok", migrations: "ok", mail: "failing" } },
    });
  });

  test("production with it is healthy", async () => {
    const other = await open({ ...production, SMTP_URL: mailbox.url });
    expect((await other.call("GET", "/health")).json()).toMatchObject({
      status: "ok",
      checks: { mail: "ok" },
    });
  });

  /** What the log says while a code is sent. */
  async function logOf(env: Record<string, string>) {
    const other = await open(env);
    const user = await makeUser(other.sql);
    await requestCode(other.sql, "reset_password", user.email);
    const [code] = await other.sql`select id from codes`;
    const lines: string[] = [];
    const log = pino({ level: "trace" }, { write: (line) => void lines.push(line) });
    const mailer = await openMailer(other.app.settings, other.sql, log);
    const sent = await mailer.sendCode(code!.id).then(
      () => true,
      () => false,
    );
    mailer.close();
    return { sent, log: lines.join(""), email: user.email };
  }

  test("development prints the code in one line", async () => {
    const { sent, log, email } = await logOf({});
    expect(sent).toBe(true);
    expect(JSON.parse(log)).toMatchObject({
      email,
      purpose: "reset_password",
      code: expect.stringMatching(/^\d{6}$/),
    });
  });

  test("nothing is printed where there is one, nor in production", async () => {
    expect(await logOf({ SMTP_URL: mailbox.url })).toMatchObject({ sent: true, log: "" });
    expect(await logOf({ ...production, SMTP_URL: mailbox.url })).toMatchObject({ sent: true, log: "" });
    expect(await logOf(production)).toMatchObject({ sent: false, log: "" });
  });
});

test("a dump of the database holds no password, code or token", async () => {
  await signUp(ann, { phone_number: "+15550100" });
  const first = await mailbox.codeFor(ann);
  await verify(ann, first);
  const pair = (await signIn(ann)).json();
  const next = (await post("/auth/refresh", { refresh_token: pair.refresh_token })).json();
  await post("/auth/password/forgot", { email: ann });
  const second = await mailbox.codeFor(ann, 2);

  const tables = await shop.sql`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema')`;
  let dump = "";
  for (const { name } of tables)
    for (const { row } of await shop.sql.unsafe(`select t::text as row from ${name} t`)) dump += `${row}\n`;
  expect(dump).toContain(ann);
  const hex = (token: string) => Buffer.from(token, "base64url").toString("hex");
  for (const secret of [password, pair.refresh_token, next.refresh_token, pair.access_token])
    expect(dump).not.toContain(secret);
  for (const token of [pair.refresh_token, next.refresh_token]) expect(dump).not.toContain(hex(token));
  for (const code of [first, second]) {
    // As digits, as bytes, and as a plain hash. Longer numbers may contain any six digits.
    expect(dump).not.toMatch(new RegExp(`(?<![\\da-f.-])${code}(?![\\da-f-])`));
    expect(dump).not.toContain(Buffer.from(code).toString("hex"));
    expect(dump).not.toContain(createHash("sha256").update(code).digest("hex"));
  }
});
