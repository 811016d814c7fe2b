// Uses every kind of secret on a production instance at log level debug, then searches its output for each of them.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { openPool } from "../src/db/pool.ts";
import { makeProduct } from "./factories.ts";
import { cloneDatabase, eventually } from "./harness.ts";
import { startInstance } from "./instance.ts";
import { openMailbox } from "./mailbox.ts";
import { startProviderStub } from "./provider-stub.ts";

const email = "ann@example.com";

test("the log at debug level contains no secret", async () => {
  const secrets: Record<string, string> = {
    "the key of the tokens": "the-key-of-the-tokens-is-9b2e-and-long-enough",
    "the key before it": "the-key-before-it-was-77aa-and-long-enough",
    "the provider's password": "provider-pass-31d0",
    "the bot's token": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    "a password": "battery staple 8123",
    "a wrong password": "battery stable 8123",
    "a new password": "horse correct 9921",
    "a card's number": "4111111111111111",
    "a card's cvv": "cvv-737",
    "a provider's token": "tok_1NirD82eZvKYlo2C",
    "a provider's cookie": "session-of-the-provider-4242",
  };
  const url = new URL(await cloneDatabase());
  secrets["the password of the database"] = url.password;
  const sql = openPool(url.href, { name: "test", max: 1 });
  const provider = await startProviderStub();
  const mailbox = await openMailbox();
  const providerUrl = provider.url.replace("://", `://shop:${secrets["the provider's password"]}@`);
  const instance = await startInstance({
    LOG_LEVEL: "debug",
    DATABASE_URL: url.href,
    JWT_SECRET_KEY: `${secrets["the key of the tokens"]},${secrets["the key before it"]}`,
    PAYMENT_SERVICE_URL: `${providerUrl}/payments`,
    PAYMENT_REFUND_URL: `${providerUrl}/refunds`,
    NOTIFICATION_SERVICE_URL: `${providerUrl}/notifications`,
    SMTP_URL: mailbox.url,
    TELEGRAM_BOT_TOKEN: secrets["the bot's token"]!,
    PAYMENT_TIMEOUT_MS: "2000",
  });
  onTestFinished(async () => {
    await instance.end("SIGKILL");
    await Promise.all([mailbox.close(), provider.close(), sql.end()]);
  });
  const card = {
    card: { card_number: secrets["a card's number"], cvv: secrets["a card's cvv"] },
    token: secrets["a provider's token"],
    nested: [{ deep: { "Set-Cookie": secrets["a provider's cookie"] } }],
  };

  async function call(expected: number, method: string, path: string, body?: unknown, headers: object = {}) {
    const response = await fetch(`${instance.url}/api/v1${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    expect(response.status, `${method} ${path}: ${text}`).toBe(expected);
    return text ? JSON.parse(text) : undefined;
  }
  const signIn = async (expected: number, password: string) => {
    const pair = await call(expected, "POST", "/auth/token", { username: email, password });
    if (expected !== 200) return pair;
    keep(pair);
    return pair;
  };
  let kept = 0;
  const keep = (pair: { access_token: string; refresh_token: string }) => {
    kept += 1;
    secrets[`access token ${kept}`] = pair.access_token;
    secrets[`signature of access token ${kept}`] = pair.access_token.split(".")[2]!;
    secrets[`refresh token ${kept}`] = pair.refresh_token;
  };

  // Sign-up with a code by email; wrong and right passwords; rejected bodies.
  const password = secrets["a password"]!;
  await call(201, "POST", "/auth/signup", { email, password, first_name: "Ann" });
  secrets["the code of signing up"] = await mailbox.codeFor(email);
  await call(403, "POST", "/auth/token", { username: email, password });
  await call(200, "POST", "/auth/verify", { email, code: secrets["the code of signing up"] });
  await signIn(401, secrets["a wrong password"]!);
  await call(400, "POST", "/auth/token", { username: email, password, passwort: password });
  await call(400, "POST", "/auth/token", `{"username":"${email}","password":"${password}"`);
  const first = await signIn(200, password);
  const second = await call(200, "POST", "/auth/refresh", { refresh_token: first.refresh_token });
  keep(second);
  const authorization = { authorization: `Bearer ${second.access_token}` };
  await call(401, "GET", "/users/me", undefined, { authorization: `Bearer ${second.access_token}x` });

  // Orders with a provider whose responses contain secrets: paid, declined, broken, canceled and refunded.
  const { id: productId } = await makeProduct(sql);
  const order = { items: [{ product_id: productId, quantity: 1 }] };
  provider.answer = () => ({ status: 200, body: { success: true, ...card } });
  const { id } = await call(201, "POST", "/orders", order, authorization);
  await call(204, "DELETE", `/users/me/orders/${id}`, undefined, authorization);
  provider.answer = () => ({ status: 402, body: { success: false, message: "no", ...card } });
  await call(402, "POST", "/orders", order, authorization);
  provider.answer = () => ({
    status: 500,
    raw: `oops: token=${secrets["a provider's token"]}, cvv: ${secrets["a card's cvv"]}`,
  });
  await call(402, "POST", "/orders", order, authorization);
  provider.answer = () => ({ status: 200, body: { success: true, ...card } });
  await eventually(() => provider.callsTo("/refunds").length > 0, 10);

  // An internal error, whose cause is logged, with secrets in the request; and a lost database.
  await sql`alter table users rename to elsewhere`;
  await signIn(500, password);
  await call(500, "POST", "/auth/signup", { email: "bob@example.com", password });
  await sql`alter table elsewhere rename to users`;
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name like 'ristretto%' and pid <> pg_backend_pid()`;
  await eventually(async () => (await fetch(`${instance.url}/api/v1/health`)).ok);

  // A new password. The code before was requested less than a minute ago.
  await sql`update codes set requested_at = requested_at - interval '5 minutes'`;
  await call(202, "POST", "/auth/password/forgot", { email });
  secrets["the code of the new password"] = await mailbox.codeFor(email, 2);
  const reset = { email, code: secrets["the code of the new password"], password: secrets["a new password"] };
  await call(204, "POST", "/auth/password/reset", reset);
  const last = await signIn(200, secrets["a new password"]!);
  await call(204, "POST", "/auth/logout", { refresh_token: last.refresh_token });
  // The hash in Telegram's fields signs in for a day.
  secrets["Telegram's proof"] = "ab".repeat(32);
  const telegram = {
    id: 1,
    first_name: "Ann",
    auth_date: Math.floor(Date.now() / 1000),
    hash: secrets["Telegram's proof"],
  };
  await call(401, "POST", "/auth/telegram", telegram);
  await sleep(200);
  expect(await instance.end("SIGTERM")).toBe(0);

  const output = instance.output();
  // The log contains the lines that could leak.
  for (const word of ["charge", "refund", "request failed", '"level":20', "[redacted]"])
    expect(output).toContain(word);
  expect(output.match(/"msg":"request"/g)!.length).toBeGreaterThan(18);
  const told = Object.keys(secrets).filter((name) =>
    // Six digits may be part of a longer number.
    /^\d{6}$/.test(secrets[name]!)
      ? new RegExp(`(?<!\\d|[\\d-][0-9a-f]*)${secrets[name]}(?![\\da-f])`).test(output)
      : output.includes(secrets[name]!) || output.includes(encodeURIComponent(secrets[name]!)),
  );
  expect(told).toEqual([]);
});
