import { Redis } from "ioredis";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { requestCode } from "../src/auth/code-queries.ts";
import { makeUser } from "./factories.ts";
import {
  eventually,
  expectProblem,
  openShop,
  type TestShop,
  testShop,
  testWorker,
  whenNotBusy,
} from "./harness.ts";
import { openMailbox } from "./mailbox.ts";
import { startRedis } from "./redis.ts";
import { noRedis } from "./redis-server.ts";

const mailbox = await openMailbox();
afterAll(mailbox.close);
// RATE_LIMIT_MAX is 0 here: what is limited by account stays.
const shop = testShop({ env: { SMTP_URL: mailbox.url } });
testWorker(shop);

const signInAt = (where: TestShop, username: string, password: string) =>
  where.call("POST", "/auth/token", { body: { username, password } });
const signIn = (username: string, password: string) => signInAt(shop, username, password);
const verify = (email: string, code = "000000") =>
  shop.call("POST", "/auth/verify", { body: { email, code } });
const reset = (email: string, code = "000000") =>
  shop.call("POST", "/auth/password/reset", { body: { email, code, password: "another horse" } });

let made = 0;
const strangersEmail = () => `stranger${++made}@example.com`;

function expectLimited(response: Awaited<ReturnType<typeof signIn>>) {
  expectProblem(response, 429, "rate_limited");
  const seconds = Number(response.headers["retry-after"]);
  expect(seconds).toBeGreaterThan(890);
  expect(seconds).toBeLessThanOrEqual(900);
}

describe("an account", () => {
  test("after ten wrong passwords refuses the right one too", async () => {
    const user = await makeUser(shop.sql);
    for (let n = 0; n < 10; n++)
      expectProblem(await signIn(user.email, "wrong horse"), 401, "invalid_credentials");
    expectLimited(await signIn(user.email, user.password));
    expectLimited(await signIn(` ${user.email.toUpperCase()}`, user.password));
    expectLimited(await verify(user.email));
    expectLimited(await reset(user.email));
    const other = await makeUser(shop.sql);
    expect((await signIn(other.email, other.password)).statusCode).toBe(200);
    expect(await shop.sql`select user_id from sessions`).toEqual([{ user_id: other.id }]);
  });

  test("that nobody has is limited just the same", async () => {
    const email = strangersEmail();
    for (let n = 0; n < 10; n++)
      expectProblem(await signIn(email, "wrong horse"), 401, "invalid_credentials");
    expectLimited(await signIn(email, "wrong horse"));
  });

  test("counts passwords and codes together", async () => {
    const user = await makeUser(shop.sql);
    for (let n = 0; n < 4; n++)
      expectProblem(await signIn(user.email, "wrong horse"), 401, "invalid_credentials");
    for (let n = 0; n < 3; n++) {
      expectProblem(await verify(user.email), 400, "invalid_code");
      expectProblem(await reset(user.email), 400, "invalid_code");
    }
    expectLimited(await signIn(user.email, user.password));
  });

  test("is not limited by what was right, nor by requests that are refused for their form", async () => {
    const user = await makeUser(shop.sql);
    const unverified = await makeUser(shop.sql, "customer", { verified: false });
    for (let n = 0; n < 12; n++) {
      expect((await signIn(user.email, user.password)).statusCode).toBe(200);
      expectProblem(await signIn(unverified.email, unverified.password), 403, "email_not_verified");
      expectProblem(await signIn(user.email, ""), 400, "validation_failed");
    }
    for (let n = 0; n < 9; n++) await signIn(user.email, "wrong horse");
    expect((await signIn(user.email, user.password)).statusCode).toBe(200);
  });

  test("lets thirty right ones in at once", async () => {
    const user = await makeUser(shop.sql);
    const responses = await Promise.all(
      Array.from({ length: 30 }, () => whenNotBusy(() => signIn(user.email, user.password))),
    );
    expect(new Set(responses.map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
  });

  test("tells of ten wrong ones, however many come at once", async () => {
    for (const email of [(await makeUser(shop.sql)).email, strangersEmail()]) {
      const responses = await Promise.all(
        Array.from({ length: 30 }, (_, n) => whenNotBusy(() => signIn(email, `wrong horse ${n}`))),
      );
      const statuses = responses.map(({ statusCode }) => statusCode);
      expect(statuses.filter((status) => status === 401)).toHaveLength(10);
      expect(statuses.filter((status) => status === 429)).toHaveLength(20);
    }
  });

  test("keeps a code from being used once it is limited", async () => {
    const user = await makeUser(shop.sql);
    await requestCode(shop.sql, "reset_password", user.email);
    const code = await mailbox.codeFor(user.email);
    for (let n = 0; n < 10; n++) await signIn(user.email, "wrong horse");
    expectLimited(await reset(user.email, code));
    expect(await shop.sql`select attempts, used_at from codes`).toEqual([{ attempts: 0, used_at: null }]);
  });
});

describe.skipIf(noRedis)("with REDIS_URL", () => {
  async function openWith(redisUrl: string, env: Record<string, string> = {}) {
    const other = await openShop({ env: { REDIS_URL: redisUrl, ...env }, databaseUrl: shop.databaseUrl });
    onTestFinished(other.close);
    return other;
  }
  /** Until an instance has found its Redis it counts by itself. */
  const connected = async (where: TestShop, url: string) => {
    const redis = new Redis(url);
    redis.on("error", () => {});
    onTestFinished(() => redis.disconnect());
    await eventually(async () => {
      const before = await redis.dbsize();
      await signInAt(where, strangersEmail(), "wrong horse");
      return (await redis.dbsize()) > before;
    }, 10);
  };

  test("two instances count together", async () => {
    const redis = await startRedis();
    const [one, two] = [await openWith(redis.url), await openWith(redis.url)];
    const user = await makeUser(shop.sql);
    for (const where of [one, two]) await connected(where, redis.url);
    for (let n = 0; n < 5; n++)
      for (const where of [one, two])
        expectProblem(await signInAt(where, user.email, "wrong horse"), 401, "invalid_credentials");
    for (const where of [one, two]) expectLimited(await signInAt(where, user.email, user.password));
  });

  test("each goes on by itself when Redis is stopped in the middle, and with Redis when it is back", async () => {
    const redis = await startRedis();
    const one = await openWith(redis.url, { RATE_LIMIT_MAX: "1000" });
    await connected(one, redis.url);
    const user = await makeUser(shop.sql);
    for (let n = 0; n < 5; n++)
      expectProblem(await signInAt(one, user.email, "wrong horse"), 401, "invalid_credentials");
    await redis.stop();
    for (let n = 0; n < 5; n++)
      expectProblem(await signInAt(one, user.email, "wrong horse"), 401, "invalid_credentials");
    expectLimited(await signInAt(one, user.email, user.password));
    expect((await one.call("GET", "/menu")).statusCode).toBe(200);

    const again = await startRedis(Number(new URL(redis.url).port));
    await connected(one, again.url);
    // Redis has forgotten; the process has not.
    expectLimited(await signInAt(one, user.email, user.password));
  });

  test("a Redis that says nothing holds nobody up", async () => {
    const redis = await startRedis();
    const one = await openWith(redis.url);
    await connected(one, redis.url);
    redis.process.kill("SIGSTOP");
    const user = await makeUser(shop.sql);
    for (let n = 0; n < 10; n++)
      expectProblem(await signInAt(one, user.email, "wrong horse"), 401, "invalid_credentials");
    expectLimited(await signInAt(one, user.email, user.password));
  });

  test("requests of one address are counted for all instances together", async () => {
    const redis = await startRedis();
    const shops = [
      await openWith(redis.url, { RATE_LIMIT_MAX: "40" }),
      await openWith(redis.url, { RATE_LIMIT_MAX: "40" }),
    ];
    for (const where of shops) await connected(where, redis.url);
    const statuses: number[] = [];
    for (let n = 0; n < 25; n++)
      for (const other of shops) statuses.push((await other.call("GET", "/menu")).statusCode);
    expect(statuses.filter((status) => status === 200).length).toBeLessThan(40);
    expect(statuses.slice(-2)).toEqual([429, 429]);
  });
});
