import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { makeProduct } from "./factories.ts";
import { eventually, openShop, testShop } from "./harness.ts";
import { startRedis } from "./redis.ts";
import { noRedis } from "./redis-server.ts";
import { missing } from "./skip-if-unavailable.ts";

const shop = testShop();

const read = async () => {
  const response = await shop.call("GET", "//metrics");
  expect(response.statusCode, response.body).toBe(200);
  expect(response.headers["content-type"]).toMatch(/^text\/plain/);
  return response.body;
};

/** One line's figure; 0 if there is no such line yet. */
const figure = async (line: string) =>
  Number(
    (await read())
      .split("\n")
      .find((found) => found.startsWith(`${line} `))
      ?.slice(line.length) ?? 0,
  );

test("every figure of the contract is there", async () => {
  const [customer, barista] = [await shop.as("customer"), await shop.as("barista")];
  const product = await makeProduct(shop.sql);
  const body = { items: [{ product_id: product.id, quantity: 1 }] };
  const before = {
    created: await figure('orders_created_total{fulfillment="pickup"}'),
    paid: await figure('payments_total{outcome="succeeded"}'),
    replays: await figure("idempotent_replays_total"),
    moved: await figure('order_status_transitions_total{to="preparation"}'),
    waited: await figure('order_status_duration_seconds_count{status="waiting"}'),
    views: await figure("menu_views_total"),
  };
  const headers = { "idempotency-key": "k" };
  const { id } = (await customer.call("POST", "/orders", { body, headers })).json();
  await customer.call("POST", "/orders", { body, headers });
  await barista.call("PATCH", `/orders/${id}/status`, { body: { status: "preparation" } });
  await shop.call("GET", "/menu");
  await shop.call("GET", "/nowhere");
  expect(await figure('orders_created_total{fulfillment="pickup"}')).toBe(before.created + 1);
  expect(await figure('payments_total{outcome="succeeded"}')).toBe(before.paid + 1);
  expect(await figure("idempotent_replays_total")).toBe(before.replays + 1);
  expect(await figure('order_status_transitions_total{to="preparation"}')).toBe(before.moved + 1);
  expect(await figure('order_status_duration_seconds_count{status="waiting"}')).toBe(before.waited + 1);
  expect(await figure("menu_views_total")).toBe(before.views + 1);
  expect(
    await figure('http_requests_total{method="POST",route="/api/v1/orders",status="201"}'),
  ).toBeGreaterThan(0);
  expect(await figure('http_requests_total{method="GET",route="unknown",status="404"}')).toBeGreaterThan(0);
  expect(await figure("active_users")).toBe(1);
  expect(await figure("payments_out_of_balance")).toBe(0);

  const text = await read();
  // A real id is in no label.
  expect(text).not.toContain(id);
  for (const name of [
    "http_requests_total",
    "http_request_duration_seconds",
    "db_pool_connections",
    "checkout_in_flight",
    "checkout_rejected_total",
    "payment_breaker_state",
    "payments_total",
    "payment_duration_seconds",
    "orders_created_total",
    "order_status_transitions_total",
    "order_status_duration_seconds",
    "idempotent_replays_total",
    "notifications_total",
    "mails_total",
    "refunds_total",
    "refunds_due",
    "payments_out_of_balance",
    "events_unpublished",
    "event_sink_lag",
    "sse_streams",
    "menu_views_total",
    "product_views_total",
    "menu_reloads_total",
    "redis_up",
    "active_users",
    "process_cpu_seconds_total",
    "nodejs_eventloop_lag_seconds",
  ])
    expect(text, name).toContain(`# TYPE ${name} `);
});

test("a charge without an order and a new order without a charge are out of balance", async () => {
  const { id } = await shop.as("customer");
  await shop.sql`
    insert into payments (id, customer_id, amount_cents, status, request_hash)
    values (gen_random_uuid(), ${id}, 450, 'unknown', '')`;
  expect(await figure("payments_out_of_balance")).toBe(1);
  await shop.sql`
    insert into orders (id, customer_id, total_cents, fulfillment)
    values (gen_random_uuid(), ${id}, 450, '{"type": "pickup"}')`;
  expect(await figure("payments_out_of_balance")).toBe(2);
  await shop.sql`update orders set created_at = now() - interval '25 hours'`;
  expect(await figure("payments_out_of_balance")).toBe(1);
});

const redisUp = (metrics: string) => /^redis_up (\d)/m.exec(metrics)?.[1];

test("a Redis that isn't configured isn't down", async () => {
  expect(redisUp(await read())).toBeUndefined();
});

test.skipIf(noRedis)("whether Redis answers is told", async () => {
  const redis = await startRedis();
  const other = await openShop({ env: { REDIS_URL: redis.url }, databaseUrl: shop.databaseUrl });
  onTestFinished(other.close);
  const up = async () => redisUp((await other.call("GET", "//metrics")).body);
  await eventually(async () => (await up()) === "1");
  await redis.stop();
  await eventually(async () => (await up()) === "0");
});

const noPromtool = missing("promtool", () => execFileSync("promtool", ["--version"], { stdio: "ignore" }));

test.skipIf(noPromtool)("promtool finds nothing to say about them", async () => {
  const said = execFileSync("promtool", ["check", "metrics"], { input: await read(), encoding: "utf8" });
  expect(said).toBe("");
});

test.skipIf(noPromtool)(
  "promtool takes the alert rules and Prometheus' settings, and each rule's figures are ours",
  async () => {
    const rules = "deploy/prometheus/alerts.yml";
    expect(execFileSync("promtool", ["check", "rules", rules], { encoding: "utf8" })).toContain("SUCCESS");
    const settings = ["check", "config", "--syntax-only", "deploy/prometheus/prometheus.yml"];
    expect(execFileSync("promtool", settings, { encoding: "utf8" })).toContain("SUCCESS");
    const text = await read();
    const dashboard = readFileSync("deploy/grafana/dashboards/ristretto.json", "utf8");
    const named = (readFileSync(rules, "utf8") + dashboard).matchAll(
      /\b(?:http|checkout|payments?|orders?|notifications|mails|refunds|events|redis|menu|db|nodejs)_[a-z0-9_]+/g,
    );
    for (const [name] of named) {
      const metric = name.replace(/_bucket$/, "");
      expect(text, metric).toContain(`# TYPE ${metric} `);
    }
  },
);
