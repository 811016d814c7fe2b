import { describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "./free-port.ts";
import { eventually, openShop, testShop } from "./harness.ts";
import { testRedis } from "./redis.ts";
import { noRedis } from "./redis-server.ts";

const shop = testShop();

test("what answers is ok; what isn't configured isn't told of", async () => {
  const response = await shop.call("GET", "/health");
  expect(response.statusCode).toBe(200);
  expect(response.json()).toEqual({ status: "ok", checks: { database: "ok", migrations: "ok", mail: "ok" } });
});

test("a Kafka that is down is degraded, and still 200", async () => {
  const env = { KAFKA_BROKERS: `127.0.0.1:${await freePort()}` };
  const other = await openShop({ env, databaseUrl: shop.databaseUrl });
  onTestFinished(other.close);
  const response = await other.call("GET", "/health");
  expect(response.statusCode).toBe(200);
  expect(response.json()).toMatchObject({ status: "degraded", checks: { database: "ok", kafka: "failing" } });
});

describe.skipIf(noRedis)("with Redis", () => {
  const redis = testRedis();

  test("one that goes away is degraded, still 200, and ok again when it is back", async () => {
    const other = await openShop({ env: { REDIS_URL: redis.url }, databaseUrl: shop.databaseUrl });
    onTestFinished(other.close);
    const health = async () => {
      const response = await other.call("GET", "/health");
      expect(response.statusCode).toBe(200);
      return response.json();
    };
    await eventually(async () => (await health()).status === "ok");
    expect((await health()).checks.redis).toBe("ok");
    await redis.stop();
    await eventually(async () => (await health()).status === "degraded");
    expect((await health()).checks.redis).toBe("failing");
    expect((await other.call("GET", "/menu")).statusCode).toBe(200);
    await redis.start();
    await eventually(async () => (await health()).status === "ok", 10);
  });
});
