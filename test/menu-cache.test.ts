// The cached menu: its encodings, when it is read, and that it is never stale.
import { setTimeout as sleep } from "node:timers/promises";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { menuReloads } from "../src/catalog/menu-cache.ts";
import { findMenu } from "../src/catalog/queries.ts";
import { makeProduct } from "./factories.ts";
import { eventually, openShop, type TestShop, testShop } from "./harness.ts";
import { testRedis } from "./redis.ts";
import { noRedis } from "./redis-server.ts";

const shop = testShop();

/** Reads of the menu from PostgreSQL by all instances of this file. */
const countReloads = async () => (await menuReloads.get()).values[0]!.value;

const namesOn = async (at: Pick<TestShop, "call">) => {
  const response = await at.call("GET", "/menu");
  expect(response.statusCode, response.body).toBe(200);
  return response.json().products.map(({ name }: { name: string }) => name);
};

/** Renames the product by SQL. Returns the new name. */
async function rename(sql: TestShop["sql"], id: string) {
  const name = `Renamed ${crypto.randomUUID()}`;
  await sql`update products set name = ${name} where id = ${id}`;
  return name;
}

describe("the response", () => {
  const ask = (headers: Record<string, string>) => shop.call("GET", "/menu", { headers });
  const read = { br: brotliDecompressSync, gzip: gunzipSync };

  test.each([
    ["nothing", undefined, undefined],
    ["nothing that is known", "deflate, compress", undefined],
    ["gzip", "gzip", "gzip"],
    ["br before gzip", "gzip, deflate, br, zstd", "br"],
    ["not what is refused", "br;q=0, gzip;q=0.5", "gzip"],
    ["all refused", "br;q=0, gzip;q=0.0", undefined],
    ["another name that begins so", "brotli, xgzip", undefined],
    ["in whatever case", "GZip", "gzip"],
  ] as const)("has the encoding that the client accepts: %s", async (_title, accepted, encoding) => {
    await makeProduct(shop.sql, { name: "Crème" });
    shop.menu.invalidate();
    const plain = await ask({});
    const response = await ask(accepted === undefined ? {} : { "accept-encoding": accepted });
    expect(response.headers["content-encoding"]).toBe(encoding);
    expect(response.headers["content-length"]).toBe(String(response.rawPayload.length));
    expect(response.headers.vary).toMatch(/Accept-Encoding/);
    const bytes = encoding ? read[encoding](response.rawPayload) : response.rawPayload;
    expect(bytes.equals(plain.rawPayload)).toBe(true);
    expect(JSON.parse(bytes.toString()).products).toMatchObject([{ name: "Crème" }]);
  });

  test("has a strong ETag for each encoding, and each of them gets 304", async () => {
    await makeProduct(shop.sql);
    shop.menu.invalidate();
    const tags = [];
    for (const accepted of ["identity", "gzip", "br"])
      tags.push((await ask({ "accept-encoding": accepted })).headers.etag as string);
    expect(new Set(tags).size).toBe(3);
    for (const tag of tags) {
      expect(tag).toMatch(/^"[\w-]+"$/);
      for (const accepted of ["identity", "gzip", "br"]) {
        const response = await ask({ "accept-encoding": accepted, "if-none-match": tag });
        expect(response.statusCode).toBe(304);
        expect(response.headers.vary).toMatch(/Accept-Encoding/);
      }
    }
  });
});

describe("a change", () => {
  test("by the API is in the same instance's menu at once", async () => {
    const manager = await shop.as("manager");
    const { id } = await makeProduct(shop.sql);
    for (let n = 0; n < 20; n++) {
      const name = `Round ${n}`;
      await manager.call("PATCH", `/admin/products/${id}`, { body: { name } });
      expect(await namesOn(shop)).toEqual([name]);
    }
  });

  test("by SQL is in every instance's menu within half a second", async () => {
    const other = await openShop({ databaseUrl: shop.databaseUrl });
    onTestFinished(other.close);
    const { id } = await makeProduct(shop.sql);
    await eventually(async () => (await namesOn(other)).length === 1);
    for (let n = 0; n < 10; n++) {
      await Promise.all([namesOn(shop), namesOn(other)]);
      const name = await rename(shop.sql, id);
      for (const each of [shop, other])
        await eventually(async () => (await namesOn(each)).includes(name), 0.5);
    }
  });

  test.each(["categories", "products", "variations", "option_groups", "options"])(
    "in %s changes the version of the menu, unless it is rolled back",
    async (table) => {
      const version = async () => (await findMenu(shop.sql)).version;
      const before = await version();
      await expect(
        shop.sql.begin(async (tx) => {
          await tx`delete from ${tx(table)} where false`;
          throw new Error("no");
        }),
      ).rejects.toThrow("no");
      expect(await version()).toBe(before);
      await shop.sql`delete from ${shop.sql(table)} where false`;
      expect(await version()).not.toBe(before);
    },
  );

  test("while the listening connection is cut is seen after it reconnects", async () => {
    const { id } = await makeProduct(shop.sql);
    for (let n = 0; n < 3; n++) {
      await namesOn(shop);
      // Waits for its end: until then it may still receive notifications.
      const cut = await shop.sql`
        select pg_terminate_backend(pid, 5000) as gone from pg_stat_activity
        where datname = current_database() and application_name = 'ristretto menu'`;
      expect(cut).toEqual([{ gone: true }]);
      const name = await rename(shop.sql, id);
      await eventually(async () => (await namesOn(shop)).includes(name), 2);
      await eventually(() =>
        shop.sql`
          select from pg_stat_activity
          where datname = current_database() and application_name = 'ristretto menu'`.then(
          ({ count }) => count === 1,
        ),
      );
    }
    // The new connection listens.
    const name = await rename(shop.sql, id);
    await eventually(async () => (await namesOn(shop)).includes(name), 0.5);
  });

  test("is seen within 5 s when the instance cannot listen", async () => {
    const listenUrl = "postgres://postgres@127.0.0.1:1/postgres";
    const deaf = await openShop({ databaseUrl: shop.databaseUrl, listenUrl });
    onTestFinished(deaf.close);
    const { id } = await makeProduct(shop.sql);
    await namesOn(deaf);
    const reloads = await countReloads();
    const name = await rename(shop.sql, id);
    await sleep(200);
    expect(await namesOn(deaf)).not.toContain(name);
    expect(await countReloads()).toBe(reloads);
    await eventually(async () => (await namesOn(deaf)).includes(name), 5.5);
  });
});

describe("a read", () => {
  test("happens once for many concurrent requests", async () => {
    await makeProduct(shop.sql);
    await sleep(100);
    shop.menu.invalidate();
    const reloads = await countReloads();
    await Promise.all(Array.from({ length: 50 }, () => namesOn(shop)));
    expect(await countReloads()).toBe(reloads + 1);
    await namesOn(shop);
    expect(await countReloads()).toBe(reloads + 1);
  });

  test("that began before a change is not kept after it", async () => {
    const { id } = await makeProduct(shop.sql, { name: "Old" });
    // A slow read, which sees what was committed when it began.
    const [view] = await shop.sql<{ definition: string }[]>`
      select rtrim(pg_get_viewdef('menu_products'), ';') as definition`;
    const define = (query: string) => shop.sql.unsafe(`create or replace view menu_products as ${query}`);
    await define(
      `select * from (${view!.definition}) as product cross join lateral (select from pg_sleep(0.4)) as slow`,
    );
    onTestFinished(async () => void (await define(view!.definition)));
    await sleep(100);
    shop.menu.invalidate();
    const early = namesOn(shop);
    await sleep(100);
    const name = await rename(shop.sql, id);
    expect(await early).toEqual(["Old"]);
    expect(await namesOn(shop)).toEqual([name]);
  });

  test("never returns an old menu after a change, under constant edits", async () => {
    const manager = await shop.as("manager");
    const { id } = await makeProduct(shop.sql);
    let reading = true;
    const readers = Array.from({ length: 5 }, async () => {
      while (reading) {
        await namesOn(shop);
        await sleep(1);
      }
    });
    for (let n = 0; n < 100; n++) {
      const name = `Edit ${n}`;
      await manager.call("PATCH", `/admin/products/${id}`, { body: { name } });
      expect(await namesOn(shop)).toEqual([name]);
    }
    reading = false;
    await Promise.all(readers);
  });

  test("is due when a sold-out product becomes available, without a change in the database", async () => {
    const { id } = await makeProduct(shop.sql);
    const { id: other } = await makeProduct(shop.sql);
    await shop.sql`update products set sold_out_until = now() + interval '900 ms' where id = ${id}`;
    await shop.sql`update products set sold_out_until = 'infinity' where id = ${other}`;
    await sleep(100);
    const available = async () => {
      const { products } = (await shop.call("GET", "/menu")).json();
      return products.find((product: { id: string }) => product.id === id).available;
    };
    expect(await available()).toBe(false);
    const reloads = await countReloads();
    expect(await available()).toBe(false);
    expect(await countReloads()).toBe(reloads);
    // Before the menu would be stale for lack of heartbeats.
    await eventually(available, 3);
    for (let n = 0; n < 5; n++) await available();
    // Twice if the notification of the changes above comes late.
    expect((await countReloads()) - reloads).toBeLessThanOrEqual(2);
  });

  test("that fails is repeated for the next request", async () => {
    await makeProduct(shop.sql, { name: "Latte" });
    await sleep(100);
    await shop.sql`alter table menu_version rename to elsewhere`;
    shop.menu.invalidate();
    const broken = await shop.call("GET", "/menu");
    await shop.sql`alter table elsewhere rename to menu_version`;
    expect(broken.statusCode).toBe(500);
    expect(await namesOn(shop)).toEqual(["Latte"]);
  });
});

describe.skipIf(noRedis)("with Redis", () => {
  const redis = testRedis();
  const openMany = async (count: number) => {
    const shops = await Promise.all(
      Array.from({ length: count }, () =>
        openShop({ databaseUrl: shop.databaseUrl, env: { REDIS_URL: redis.url, DATABASE_POOL_MAX: "2" } }),
      ),
    );
    onTestFinished(async () => void (await Promise.all(shops.map(({ close }) => close()))));
    await eventually(() => shops.every(({ redis }) => redis?.status === "ready"));
    await sleep(200);
    return shops as unknown as [TestShop, TestShop, ...TestShop[]];
  };
  // An instance that stalls for 200 ms continues without Redis by design, which the test then sees.
  const retryStalls = { retry: 2 };

  test("ten instances read PostgreSQL once per change", retryStalls, async () => {
    const shops = await openMany(10);
    const { id } = await makeProduct(shop.sql);
    await eventually(async () =>
      (await Promise.all(shops.map(namesOn))).every((names) => names.length === 1),
    );
    for (let n = 0; n < 3; n++) {
      const before = await countReloads();
      const name = await rename(shop.sql, id);
      await sleep(100);
      expect(await Promise.all(shops.map(namesOn))).toEqual(shops.map(() => [name]));
      expect(await countReloads()).toBe(before + 1);
    }
  });

  test("a copy that is written late is never used for the new version", retryStalls, async () => {
    const [one, two] = await openMany(2);
    const { id } = await makeProduct(shop.sql, { name: "Old" });
    await eventually(async () => (await namesOn(one)).includes("Old"));
    const { version } = await findMenu(shop.sql);
    const key = `ristretto:menu:USD:${version}`;
    const old = await one.redis!.get(key);
    expect(old).toContain("Old");
    const name = await rename(shop.sql, id);
    await eventually(async () => (await namesOn(two)).includes(name));
    await one.redis!.set(key, old!);
    for (const each of [one, two]) {
      each.menu.invalidate();
      expect(await namesOn(each)).toEqual([name]);
    }
  });

  test("a copy expires when a sold-out product becomes available", async () => {
    const [one, two] = await openMany(2);
    const { id } = await makeProduct(shop.sql);
    await shop.sql`update products set sold_out_until = now() + interval '2 s' where id = ${id}`;
    await sleep(100);
    const available = async (at: TestShop) => (await at.call("GET", "/menu")).json().products[0].available;
    expect(await Promise.all([available(one), available(two)])).toEqual([false, false]);
    await eventually(() => available(two), 2.5);
    await eventually(() => available(one), 0.2);
  });

  test(
    "an instance that dies during its read delays the others by at most a second",
    retryStalls,
    async () => {
      const [one] = await openMany(1);
      const { id } = await makeProduct(shop.sql);
      const name = await rename(shop.sql, id);
      await sleep(100);
      const { version } = await findMenu(shop.sql);
      await one.redis!.set(`ristretto:menu:USD:${version}:reader`, "other", "PX", 10_000);
      one.menu.invalidate();
      const began = Date.now();
      expect(await namesOn(one)).toEqual([name]);
      expect(Date.now() - began).toBeLessThan(1_500);
    },
  );

  test("the menu works while Redis is down, hangs or returns", async () => {
    const shops = await openMany(2);
    const { id } = await makeProduct(shop.sql);
    await eventually(async () =>
      (await Promise.all(shops.map(namesOn))).every((names) => names.length === 1),
    );
    await redis.stop();
    const stopped = await rename(shop.sql, id);
    for (const each of shops) await eventually(async () => (await namesOn(each)).includes(stopped), 1);
    await redis.start();
    await eventually(() => shops.every((each) => each.redis?.status === "ready"));
    const restarted = await rename(shop.sql, id);
    for (const each of shops) await eventually(async () => (await namesOn(each)).includes(restarted), 1);
    redis.pause(true);
    const hanging = await rename(shop.sql, id);
    for (const each of shops) await eventually(async () => (await namesOn(each)).includes(hanging), 2);
    redis.pause(false);
  });
});
