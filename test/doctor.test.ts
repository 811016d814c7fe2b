import { createServer } from "node:net";
import { expect, test } from "vitest";
import { readSettings } from "../src/config.ts";
import { countDelayedEvents } from "../src/events/queries.ts";
import { countFailedNotifications } from "../src/notifications/queries.ts";
import { runDiagnostics } from "../src/observability/doctor.ts";
import { sumImbalances } from "../src/refunds/queries.ts";
import { testShop } from "./harness.ts";

const shop = testShop();

const look = (env: Record<string, string> = {}) =>
  runDiagnostics(
    {
      ...readSettings({
        PAYMENT_SERVICE_URL: `${shop.provider.url}/payments`,
        NOTIFICATION_SERVICE_URL: `${shop.provider.url}/notifications`,
        ...env,
      }),
      databaseUrl: env.DATABASE_URL ?? shop.databaseUrl,
    },
    [sumImbalances, countFailedNotifications, countDelayedEvents],
  );

/** An address where nobody listens. */
async function nobody(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

test("a healthy shop has no problem, and what is not set is said", async () => {
  const findings = await look();
  expect(findings.filter(({ state }) => state === "PROBLEM")).toEqual([]);
  expect(findings.filter(({ state }) => state === "unset").map(({ about }) => about)).toEqual([
    "refunds",
    "mail",
    "Redis",
  ]);
  expect(findings.at(-1)).toEqual({ about: "ledgers", state: "ok", detail: "nothing is out of balance" });
});

test("what can't be reached and what is out of balance is a problem", async () => {
  const customer = await shop.as("customer");
  await shop.sql`
    insert into payments (id, customer_id, amount_cents, status, request_hash)
    values
      (gen_random_uuid(), ${customer.id}, 450, 'unknown', ''),
      (gen_random_uuid(), ${customer.id}, 2147483647, 'unknown', '')`;
  const gone = await nobody();
  const findings = await look({
    PAYMENT_REFUND_URL: `http://${gone}/refunds`,
    S3_BUCKET: "pictures",
    S3_ENDPOINT: `http://${gone}`,
    REDIS_URL: `redis://${gone}`,
  });
  expect(findings.filter(({ state }) => state === "PROBLEM")).toEqual([
    { about: "refunds", state: "PROBLEM", detail: expect.stringContaining(gone) },
    { about: "S3", state: "PROBLEM", detail: expect.stringContaining(gone) },
    { about: "Redis", state: "PROBLEM", detail: expect.stringContaining(gone) },
    { about: "charge without order", state: "PROBLEM", detail: "2, 2147484097 cents in total" },
  ]);
});

test("a mail server without a port is looked for where the mailer does", async () => {
  const findings = await look({ SMTP_URL: "smtp://127.0.0.1" });
  expect(findings.find(({ about }) => about === "mail")?.detail).toContain("127.0.0.1:587");
});

test("without a database it says so, and of what is not migrated what is missing", async () => {
  const gone = await look({ DATABASE_URL: `postgres://x@${await nobody()}/x` });
  expect(gone[0]).toMatchObject({ about: "PostgreSQL", state: "PROBLEM" });
  await shop.sql`delete from pgmigrations where name = '0001_users'`;
  expect((await look())[0]).toMatchObject({
    state: "PROBLEM",
    detail: "migrations are missing: 0001_users",
  });
  await shop.sql`insert into pgmigrations (name, run_on) values ('0001_users', now())`;
});
