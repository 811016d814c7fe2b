// Three real instances behind the real nginx, with PostgreSQL and Redis as a machine's packages bring them: what
// compose.yaml runs.
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { migrate } from "../src/db/migrate.ts";
import { openPool, type Pool } from "../src/db/pool.ts";
import { makeProduct, makeUser, type TestUser } from "./factories.ts";
import { eventually } from "./harness.ts";
import { type Instance, productionSecret, startInstance } from "./instance.ts";
import { type Nginx, noNginx, startNginx } from "./nginx.ts";
import { launchPostgres, noPostgres, type PostgresServer } from "./postgres-server.ts";
import { type ProviderStub, startProviderStub } from "./provider-stub.ts";
import { launchRedis, noRedis, type RedisServer } from "./redis-server.ts";
import { openStream } from "./sse.ts";
import { signTestToken } from "./tokens.ts";

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

describe.skipIf(noNginx || noPostgres || noRedis)("three instances behind nginx", () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let sql: Pool;
  let provider: ProviderStub;
  let instances: Instance[];
  let nginx: Nginx;
  let customer: TestUser;
  let productId: string;

  const start = (env: Record<string, string> = {}) =>
    startInstance({
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      PAYMENT_SERVICE_URL: `${provider.url}/payments`,
      NOTIFICATION_SERVICE_URL: `${provider.url}/notifications`,
      TRUST_PROXY: "1",
      WORKER: "off",
      ...env,
    });

  beforeAll(async () => {
    [postgres, redis] = await Promise.all([launchPostgres(), launchRedis()]);
    await migrate(postgres.url);
    sql = openPool(postgres.url, { name: "test", max: 2 });
    provider = await startProviderStub();
    instances = await Promise.all([start({ WORKER: "inline" }), start(), start()]);
    nginx = await startNginx(instances.map(({ url }) => url));
    customer = await makeUser(sql);
    productId = (await makeProduct(sql)).id;
  });
  afterAll(async () => {
    await nginx?.close();
    await Promise.all(instances?.map(({ end }) => end("SIGKILL")) ?? []);
    await provider?.close();
    await sql?.end();
    await Promise.all([postgres?.stop(), redis?.stop()]);
  });

  /** A fresh one in an instance's place, when it has ended. */
  async function replace(nth: number) {
    instances[nth] = await start(nth === 0 ? { WORKER: "inline" } : {});
    await nginx.point(instances.map(({ url }) => url));
    await sleep(200);
  }

  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  afterAll(() => agent.destroy());

  function send(
    method: string,
    path: string,
    { headers = {}, body, to = nginx.url }: { headers?: object; body?: string | Buffer; to?: string } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request(`${to}${path}`, { method, agent, headers: { ...headers } }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
        response.on("error", reject);
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  const placeOrder = () =>
    send("POST", "/api/v1/orders", {
      headers: {
        authorization: `Bearer ${signTestToken({ sub: customer.id, role: "customer", jti: "a" }, productionSecret)}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ items: [{ product_id: productId, quantity: 1 }] }),
    });

  /** Sends `each` at a steady rate until it is stopped; gives the number sent, and everything but the expected. */
  function steadily(perSecond: number, expected: number, each: () => Promise<Answer>) {
    const sent: Promise<void>[] = [];
    const failures: unknown[] = [];
    const startedAt = performance.now();
    const timer = setInterval(() => {
      const due = ((performance.now() - startedAt) / 1_000) * perSecond;
      while (sent.length < due)
        sent.push(
          each().then(
            ({ status, body }) => void (status === expected || failures.push(`${status} ${body}`)),
            (error) => void failures.push(String(error)),
          ),
        );
    }, 5);
    return async () => {
      clearInterval(timer);
      await Promise.all(sent);
      return { sent: sent.length, failures };
    };
  }

  /** How many requests an instance has logged. */
  const served = ({ output }: Instance) => output().match(/"msg":"request"/g)?.length ?? 0;

  const expectProblem = ({ status, headers, body }: Answer, expected: number, code: string) => {
    expect({ answered: status, ...JSON.parse(body) }).toMatchObject({
      answered: expected,
      status: expected,
      code,
      type: `urn:ristretto:problem:${code}`,
      title: expect.any(String),
      detail: expect.any(String),
      request_id: headers["x-request-id"],
    });
    expect(headers["content-type"]).toMatch(/^application\/problem\+json/);
  };

  test("spreads the load over all three", async () => {
    const before = instances.map(served);
    const stop = steadily(300, 200, () => send("GET", "/api/v1/menu"));
    await sleep(1_000);
    const { sent, failures } = await stop();
    expect(failures).toEqual([]);
    await eventually(() => {
      const counts = instances.map((instance, nth) => served(instance) - before[nth]!);
      return counts.reduce((a, b) => a + b) === sent && Math.min(...counts) > sent / 10;
    });
  });

  test("fails no GET when one is killed under load", async () => {
    const stop = steadily(400, 200, () => send("GET", "/api/v1/menu"));
    await sleep(500);
    await instances[1]!.end("SIGKILL");
    await sleep(3_000);
    const { sent, failures } = await stop();
    console.info(`killed under load: ${failures.length} of ${sent} GETs failed`);
    expect(failures).toEqual([]);
    await replace(1);
  });

  test("fails nothing when one drains under load, orders included", async () => {
    // A payment takes its time, so that some are in flight at the signal.
    provider.answer = () => ({ status: 200, body: { success: true }, after: sleep(50) });
    onTestFinished(() => provider.reset());
    const stopReading = steadily(460, 200, () => send("GET", "/api/v1/menu"));
    const stopOrdering = steadily(40, 201, placeOrder);
    await sleep(700);
    const code = await instances[2]!.end("SIGTERM");
    await sleep(2_500);
    const [read, ordered] = await Promise.all([stopReading(), stopOrdering()]);
    console.info(
      `drained under load: ${read.failures.length} of ${read.sent} GETs failed, ` +
        `${ordered.failures.length} of ${ordered.sent} orders`,
    );
    expect(code).toBe(0);
    expect({ read: read.failures, ordered: ordered.failures }).toEqual({ read: [], ordered: [] });
    const [orders] = await sql`select count(*)::int as count from orders`;
    expect(orders!.count).toBe(ordered.sent);
    expect(await sql`select * from payments_out_of_balance`).toEqual([]);
    await replace(2);
  });

  test("one that drains is not ready at once, closes connections by its answers, and finishes its payments", async () => {
    const instance = await start();
    const { hostname, port } = new URL(instance.url);
    const charged = Promise.withResolvers<void>();
    const asked = provider.calls.length;
    provider.answer = () => ({ status: 200, body: { success: true }, after: charged.promise });
    onTestFinished(() => provider.reset());
    const kept = connect(Number(port), hostname);
    let received = "";
    kept.setEncoding("utf8").on("data", (chunk) => {
      received += chunk;
    });
    const ended = new Promise((resolve) => kept.once("close", resolve));
    kept.write("GET /api/v1/health HTTP/1.1\r\nhost: x\r\n\r\n");
    await eventually(() => received.includes("HTTP/1.1 200"));
    const paying = fetch(`${instance.url}/api/v1/orders`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${signTestToken({ sub: customer.id, role: "customer", jti: "a" }, productionSecret)}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ items: [{ product_id: productId, quantity: 1 }] }),
    });
    await eventually(() => provider.calls.length > asked);

    const code = instance.end("SIGTERM");
    await eventually(() =>
      fetch(`${instance.url}/api/v1/health/live`).then(
        () => false,
        () => true,
      ),
    );
    received = "";
    kept.write("GET /api/v1/health HTTP/1.1\r\nhost: x\r\n\r\n");
    await ended;
    expect(received).toMatch(/^HTTP\/1\.1 503 /);
    expect(received).toMatch(/\r\nconnection: close\r\n/i);
    expect(received).toContain('{"status":"unavailable","checks":{"listening":"failing"}}');

    charged.resolve();
    const paid = await paying;
    expect(paid.status).toBe(201);
    expect(paid.headers.get("connection")).toBe("close");
    expect(await code).toBe(0);
  });

  test("passes live streams on as they come, and through any instance", async () => {
    const barista = await makeUser(sql, "barista");
    const token = signTestToken({ sub: barista.id, role: "barista", jti: "a" }, productionSecret);
    // Three, so that least_conn gives one to each.
    const streams = await Promise.all(
      [1, 2, 3].map(() => openStream(`${nginx.url}/api/v1/admin/orders/events`, token)),
    );
    onTestFinished(() => streams.forEach((stream) => void stream.close()));
    for (const stream of streams) expect((await stream.nth(0)).event).toBe("snapshot");
    const { id } = JSON.parse((await placeOrder()).body);
    for (const stream of streams)
      expect(await stream.nth(1)).toMatchObject({ event: "order.created", data: { subject_id: id } });
  });

  test("shows /metrics to nobody, however it is written", async () => {
    for (const path of ["/metrics", "//metrics", "/%6detrics", "/metrics?a=1", "/menu/../metrics"])
      expectProblem(await send("GET", path), 404, "not_found");
  });

  test("passes a request id on, and makes one where there is none", async () => {
    for (const id of ["a", "x".repeat(64), 'quoted"\\'])
      expect((await send("GET", "/api/v1/menu", { headers: { "x-request-id": id } })).headers).toMatchObject({
        "x-request-id": id,
      });
    const made = await send("GET", "/api/v1/menu");
    expect(made.headers["x-request-id"]).toMatch(/^[0-9a-f]{32}$/);
    const tooLong = await send("GET", "/metrics", { headers: { "x-request-id": "x".repeat(65) } });
    expect(JSON.parse(tooLong.body).request_id).toMatch(/^[0-9a-f]{32}$/);
    expectProblem(await send("GET", "/metrics", { headers: { "x-request-id": 'a"b\\' } }), 404, "not_found");
    // nginx's own id is the one in the instance's log.
    await eventually(() =>
      instances.some(({ output }) => output().includes(made.headers["x-request-id"] as string)),
    );
  });

  test("counts by the address that nginx saw, whatever X-Forwarded-For claims", async () => {
    const limited = await Promise.all([1, 2, 3].map(() => start({ RATE_LIMIT_MAX: "5" })));
    onTestFinished(async () => void (await Promise.all(limited.map(({ end }) => end("SIGKILL")))));
    const other = await startNginx(limited.map(({ url }) => url));
    onTestFinished(other.close);
    const statuses: number[] = [];
    for (let nth = 0; nth < 16; nth++) {
      const answer = await send("GET", "/api/v1/menu", {
        to: other.url,
        headers: { "x-forwarded-for": `10.0.0.${nth}` },
      });
      statuses.push(answer.status);
      if (answer.status === 429) expectProblem(answer, 429, "rate_limited");
    }
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(15);
    expect(statuses).toContain(429);
  });

  test("refuses what is too large, and what is no HTTP, as a problem", async () => {
    const large = await send("POST", "/api/v1/auth/token", {
      headers: { "content-type": "application/json" },
      body: Buffer.alloc(7 * 1024 * 1024, "a"),
    });
    expectProblem(large, 413, "body_too_large");
    expectProblem(await send("GET", `/${"x".repeat(20_000)}`), 400, "validation_failed");
    expectProblem(await send("GET", "/", { headers: { x: "x".repeat(20_000) } }), 400, "validation_failed");
    expectProblem(await send("TRACE", "/"), 404, "not_found");
  });

  test("keeps its instances when somebody sends them bodies that are too large for them", async () => {
    for (const size of [300_000, 1_000_000, 2_500_000, 5_300_000])
      for (let nth = 0; nth < 10; nth++) {
        const large = await send("POST", "/api/v1/auth/signup", {
          headers: { "content-type": "application/json" },
          body: Buffer.alloc(size, "a"),
        });
        expectProblem(large, 413, "body_too_large");
        expect((await send("GET", "/api/v1/menu")).status).toBe(200);
      }
  });

  test("answers as a problem when no instance is there", async () => {
    const nobody = "http://127.0.0.1:1";
    const other = await startNginx([nobody, nobody, nobody]);
    onTestFinished(other.close);
    const answer = await send("GET", "/api/v1/menu", { to: other.url });
    expectProblem(answer, 503, "unavailable");
    expect(answer.headers["retry-after"]).toBe("2");
  });
});
