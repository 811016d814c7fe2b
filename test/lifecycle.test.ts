// The service as an operator meets it: npm, real processes, signals.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, symlink } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  inject,
  onTestFinished,
  test,
} from "vitest";
import { openPool, type Pool } from "../src/db/pool.ts";
import { freePort } from "./free-port.ts";
import { eventually } from "./harness.ts";
import { type Env, killIn, killStarted, makeFolder, npm, processesIn, removeFolder, start } from "./npm.ts";
import { type ProviderStub, startProviderStub } from "./provider-stub.ts";

const espresso = {
  product_id: "01920000-0000-7000-8000-000000000201",
  variation_id: "01920000-0000-7000-8000-000000000303",
};

/** Signs in as a seed user; gives a way to call the API. */
async function signIn(address: string, role: "customer" | "barista") {
  const response = await fetch(`${address}/api/v1/auth/token`, {
    method: "POST",
    body: new URLSearchParams({ username: `${role}@example.com`, password: `${role}123` }),
  });
  const { access_token } = (await response.json()) as { access_token: string };
  return (method: string, path: string, body?: object) =>
    fetch(`${address}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${access_token}`, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
}

const order = { items: [{ ...espresso, quantity: 1 }] };

async function placeOrder(address: string): Promise<string> {
  const response = await (await signIn(address, "customer"))("POST", "/orders", order);
  expect(response.status).toBe(201);
  return ((await response.json()) as { id: string }).id;
}

async function orderIds(address: string): Promise<string[]> {
  const response = await (await signIn(address, "barista"))("GET", "/admin/orders");
  return ((await response.json()) as { items: { id: string }[] }).items.map(({ id }) => id);
}

async function health(address: string) {
  const response = await fetch(`${address}/api/v1/health`);
  return { status: response.status, body: (await response.json()) as { status: string } };
}

afterEach(killStarted);

describe.skipIf(!existsSync("/proc"))("a shop without settings", () => {
  // One folder for all, so that each test finds the data of the one before.
  let folder: string;
  beforeAll(async () => {
    folder = await makeFolder();
  });
  afterAll(() => removeFolder(folder));
  const nobodyIsLeft = () => eventually(async () => (await processesIn(folder)).length === 0, 2);

  test("opens on an empty folder, and the line in its banner places an order", async () => {
    const shop = await start(folder);
    const said = () => shop.said();
    await eventually(() => said().includes("curl"));
    const address = /Ristretto is open: (\S+)/.exec(said())![1]!;
    expect(await health(address)).toEqual({
      status: 200,
      body: { status: "ok", checks: { database: "ok", migrations: "ok", mail: "ok" } },
    });
    expect(said()).toContain(`${address}/docs`);
    for (const role of ["customer", "barista", "manager"])
      expect(said()).toContain(`${role}@example.com / ${role}123`);

    const [line] = /curl .*/.exec(said())!;
    const { stdout } = await promisify(execFile)("sh", ["-c", line]);
    expect(JSON.parse(stdout)).toMatchObject({ status: "waiting", payment_status: "paid", total_cents: 250 });

    expect(await shop.stop("SIGTERM")).toBe(0);
    await nobodyIsLeft();
  });

  test("has its orders again at the next start, is not started twice, and ends at Ctrl-C", async () => {
    const shop = await start(folder);
    const second = npm(folder, "start");
    expect(await second.code).toBe(1);
    expect(second.said()).toMatch(/^\s+Another instance is running on \S+\. .*\s+$/);
    expect(await orderIds(shop.address)).toHaveLength(1);
    // The way to look inside, as README tells.
    const inside = openPool((await readFile(join(folder, ".data/database-url"), "utf8")).trim(), {
      name: "test",
      max: 1,
    });
    expect(await inside`select from orders`).toHaveLength(1);
    await inside.end();
    process.kill(-shop.pid, "SIGINT");
    expect(await shop.code).toBe(0);
    await nobodyIsLeft();
  });

  test("takes over the PostgreSQL that a killed one left behind", async () => {
    const killed = await start(folder);
    await killIn(folder, /^(node|npm)\b/);
    expect(await killed.code).not.toBe(0);
    expect((await processesIn(folder)).some(({ name }) => name === "postgres")).toBe(true);

    const shop = await start(folder);
    expect(await orderIds(shop.address)).toHaveLength(1);
    await killIn(folder, /./);
  });

  test("recovers when PostgreSQL was killed with it, and ends when npm alone gets SIGINT", async () => {
    const shop = await start(folder);
    expect(await orderIds(shop.address)).toHaveLength(1);
    expect(await shop.stop("SIGINT")).toBe(0);
    await nobodyIsLeft();
  });

  test("leaves nothing behind when it is stopped while PostgreSQL starts", async () => {
    const shop = npm(folder, "start");
    await eventually(async () => (await processesIn(folder)).some(({ name }) => name === "postgres"));
    process.kill(-shop.pid, "SIGINT");
    expect(await shop.code, shop.said()).toBe(0);
    await nobodyIsLeft();
  });

  test("says that its port is taken, and leaves nothing behind", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const shop = npm(folder, "start", { PORT: `${port}` });
    expect(await shop.code).toBe(1);
    expect(shop.said()).toMatch(/EADDRINUSE.*\d+/);
    expect(shop.said()).not.toContain("    at ");
    await nobodyIsLeft();
  });

  test("is served by a worker beside it", async () => {
    const provider = await startProviderStub();
    onTestFinished(provider.close);
    const shop = await start(folder, { WORKER: "off" });
    const id = await placeOrder(shop.address);
    const change = await (await signIn(shop.address, "barista"))("PATCH", `/orders/${id}/status`, {
      status: "preparation",
    });
    expect(change.status).toBe(200);

    const metricsPort = await freePort();
    const worker = npm(folder, "worker", {
      NOTIFICATION_SERVICE_URL: `${provider.url}/notifications`,
      METRICS_PORT: `${metricsPort}`,
    });
    const call = await eventually(() => provider.calls[0], 10);
    expect(call).toMatchObject({ body: { status: "preparation" }, headers: { "x-order-id": id } });

    // What the worker counts nobody else can tell; of the rest it says nothing, not even 0.
    const figures = async (path = "metrics") => fetch(`http://127.0.0.1:${metricsPort}/${path}`);
    const told = await eventually(async () => {
      const text = await (await figures()).text();
      return text.includes('notifications_total{outcome="sent"} 1') && text;
    });
    for (const name of ["refunds_total", "mails_total", "process_cpu_seconds_total"])
      expect(told).toContain(`# TYPE ${name} `);
    for (const name of ["redis_up", "refunds_due", "payments_total", "http_requests_total"])
      expect(told).not.toContain(name);
    expect((await figures("orders")).status).toBe(404);
    process.kill(worker.pid, "SIGTERM");
    expect(await worker.code).toBe(0);
    expect(await shop.stop()).toBe(0);
    await nobodyIsLeft();
  });

  test("has no worker when it isn't running", async () => {
    const worker = npm(folder, "worker");
    expect(await worker.code).toBe(1);
    expect(worker.said()).toContain("No shop is running here");
  });

  test("is migrated and seeded when it isn't running", async () => {
    for (const script of ["migrate", "seed"]) expect(await npm(folder, script).code).toBe(0);
    await nobodyIsLeft();
  });
});

test.skipIf(!existsSync("/proc"))("a first start that is stopped leaves nothing half made", async () => {
  const folder = await makeFolder();
  onTestFinished(() => removeFolder(folder));
  const shop = npm(folder, "start");
  await eventually(async () => (await processesIn(folder)).some(({ name }) => name === "initdb"));
  process.kill(-shop.pid, "SIGINT");
  expect(await shop.code, shop.said()).toBe(0);
  await eventually(async () => (await processesIn(folder)).length === 0, 2);
  expect(await readdir(join(folder, ".data"))).toEqual(["database-url", "postgres"]);
});

test.skipIf(!existsSync("/proc"))("a folder may have blanks in its name", async () => {
  const folder = await makeFolder();
  onTestFinished(() => removeFolder(folder));
  // The files themselves: of a link Node would see where it leads to.
  const here = join(folder, "my shop");
  await mkdir(here);
  for (const name of ["package.json", "src", "migrations", "seeds"])
    await cp(name, join(here, name), { recursive: true });
  await symlink(join(folder, "node_modules"), join(here, "node_modules"));
  const shop = await start(here);
  expect((await health(shop.address)).body.status).toBe("ok");
  await placeOrder(shop.address);
  expect(await shop.stop()).toBe(0);
});

describe("a shop with a database of its own", () => {
  let folder: string;
  let admin: Pool;
  let provider: ProviderStub;
  let databaseUrl: string;
  let production: Env;
  beforeAll(async () => {
    folder = await makeFolder();
    admin = openPool(inject("postgresUrl"), { name: "test setup", max: 1 });
    provider = await startProviderStub();
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
    await provider.close();
    await admin.end();
  });
  beforeEach(async () => {
    provider.reset();
    const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
    await admin.unsafe(`create database ${name}`);
    databaseUrl = inject("postgresUrl").replace(/\/postgres$/, `/${name}`);
    production = {
      NODE_ENV: "production",
      HOST: "127.0.0.1",
      DATABASE_URL: databaseUrl,
      JWT_SECRET_KEY: "a-secret-of-at-least-32-characters",
      PAYMENT_SERVICE_URL: `${provider.url}/payments`,
      NOTIFICATION_SERVICE_URL: `${provider.url}/notifications`,
    };
  });

  test("answers what is in flight when it is stopped, and waits for nobody who said nothing", async () => {
    const shop = await start(folder, {
      DATABASE_URL: databaseUrl,
      PAYMENT_SERVICE_URL: `${provider.url}/payments`,
    });
    const charged = Promise.withResolvers<void>();
    provider.answer = () => ({ status: 200, body: { success: true }, after: charged.promise });
    const call = await signIn(shop.address, "customer");
    const response = call("POST", "/orders", order);
    await eventually(() => provider.calls.length === 1);
    const { hostname, port } = new URL(shop.address);
    const silent = connect(Number(port), hostname);
    await new Promise((resolve) => silent.once("connect", resolve));

    const code = shop.stop();
    await new Promise((resolve) => silent.once("close", resolve));
    charged.resolve();
    expect((await response).status).toBe(201);
    const before = performance.now();
    expect(await code).toBe(0);
    expect(performance.now() - before).toBeLessThan(2_000);
  });

  test("ends at once at a second signal, whoever still waits", async () => {
    const shop = await start(folder, {
      DATABASE_URL: databaseUrl,
      PAYMENT_SERVICE_URL: `${provider.url}/payments`,
    });
    provider.answer = () => "silence";
    const response = (await signIn(shop.address, "customer"))("POST", "/orders", order).catch(() => "cut");
    await eventually(() => provider.calls.length === 1);
    const code = shop.stop("SIGTERM");
    // Within a second it would be the same signal, as npm passes it on.
    await sleep(1_500);
    process.kill(shop.pid, "SIGTERM");
    expect(await code).toBe(1);
    expect(await response).toBe("cut");
  });

  test("outlives a database that cuts the connection of an order being paid", async () => {
    const shop = await start(folder, {
      DATABASE_URL: databaseUrl,
      PAYMENT_SERVICE_URL: `${provider.url}/payments`,
      // The next order needs the very connection that was cut.
      CHECKOUT_CONCURRENCY: "1",
    });
    const charged = Promise.withResolvers<void>();
    provider.answer = () => ({ status: 200, body: { success: true }, after: charged.promise });
    const response = (await signIn(shop.address, "customer"))("POST", "/orders", order);
    await eventually(() => provider.calls.length === 1);
    await admin`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = ${databaseUrl.split("/").at(-1)!} and application_name = 'ristretto checkout'`;
    charged.resolve();
    expect((await response).status).toBe(503);

    provider.reset();
    await placeOrder(shop.address);
  });

  test("comes up twice at the same moment on an empty database", async () => {
    const shops = await Promise.all([1, 2].map(() => start(folder, { DATABASE_URL: databaseUrl })));
    for (const { address } of shops) expect((await health(address)).status).toBe(200);
    const id = await placeOrder(shops[0]!.address);
    expect(await orderIds(shops[1]!.address)).toEqual([id]);
    expect(await Promise.all(shops.map((shop) => shop.stop()))).toEqual([0, 0]);
  });

  test("is not ready in production until it is migrated", async () => {
    const shop = await start(folder, production);
    expect(await health(shop.address)).toEqual({
      status: 503,
      body: { status: "unavailable", checks: { database: "ok", migrations: "failing", mail: "failing" } },
    });
    const migrate = npm(folder, "migrate", { NODE_ENV: "production", DATABASE_URL: databaseUrl });
    expect(await migrate.code, migrate.said()).toBe(0);
    expect(await health(shop.address)).toMatchObject({ status: 200, body: { status: "degraded" } });
    expect(shop.said()).not.toContain("customer123");

    const seed = npm(folder, "seed", { NODE_ENV: "production", DATABASE_URL: databaseUrl });
    expect(await seed.code).toBe(1);
    expect(seed.said()).toContain("The seeds are for development");
    expect(await shop.stop()).toBe(0);
  });

  test("is seeded twice with the same rows", async () => {
    const sql = openPool(databaseUrl, { name: "test", max: 1 });
    onTestFinished(() => sql.end());
    const rows = async () => {
      expect(await npm(folder, "seed", { DATABASE_URL: databaseUrl }).code).toBe(0);
      const [counts] = await sql`
        select
          (select count(*)::int from users) as users, (select count(*)::int from categories) as categories,
          (select count(*)::int from products) as products, (select count(*)::int from variations) as variations,
          (select count(*)::int from option_groups) as groups, (select count(*)::int from options) as options`;
      return counts;
    };
    const once = await rows();
    expect(once).toEqual({ users: 3, categories: 2, products: 6, variations: 15, groups: 3, options: 8 });
    expect(await rows()).toEqual(once);
  });

  test("names everything that production lacks, at once", async () => {
    const shop = npm(folder, "start", { NODE_ENV: "production" });
    expect(await shop.code).toBe(1);
    expect(shop.said().match(/\w+(?= is missing)/g)).toEqual([
      "JWT_SECRET_KEY",
      "DATABASE_URL",
      "PAYMENT_SERVICE_URL",
      "NOTIFICATION_SERVICE_URL",
    ]);
    expect(shop.said()).not.toContain("    at ");
  });

  test("names every malformed setting, at once", async () => {
    const shop = npm(folder, "start", { PORT: "eighty", DATABASE_URL: "somewhere", WORKER: "maybe" });
    expect(await shop.code).toBe(1);
    expect(shop.said().match(/\w+(?= must be)/g)).toEqual(["PORT", "DATABASE_URL", "WORKER"]);
  });

  test("says plainly that the database doesn't answer", async () => {
    const shop = npm(folder, "start", { DATABASE_URL: "postgres://postgres@127.0.0.1:1/postgres" });
    expect(await shop.code).toBe(1);
    expect(shop.said()).toMatch(/No connection to the database: .*ECONNREFUSED/);
    expect(shop.said()).not.toContain("    at ");
  });

  test("says so in a line of JSON in production", async () => {
    const env = { ...production, DATABASE_URL: "postgres://postgres@127.0.0.1:1/postgres" };
    const shop = npm(folder, "start", env);
    expect(await shop.code).toBe(1);
    expect(shop.said()).toMatch(/^\{"level":60,.*ECONNREFUSED.*\}$/m);
    expect(shop.said()).not.toMatch(/^ +at /m);
  });
});
