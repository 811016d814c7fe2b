// The snapshot of the menu: what is sent, when it is read, and that it is never stale.
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

/** A name that nothing had before, given to the product by SQL alone. */
async function rename(sql: TestShop["sql"], id: string) {
  const name = `Renamed ${crypto.randomUUID()}`;
  await sql`update products set name = ${name} where id = ${id}`;
  return name;
}

describe("what is sent", () => {
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
  ] as const)("the encoding that the client takes: %s", async (_title, accepted, encoding) => {
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

  test("each encoding has a strong tag of its own, and any of them is answered with 304", async () => {
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

describe("what was changed", () => {
  test("by the API is on the same instance's menu at once", async () => {
    const manager = await shop.as("manager");
    const { id } = await makeProduct(shop.sql);
    for (let n = 0; n < 20; n++) {
      const name = `Round ${n}`;
      await manager.call("PATCH", `/admin/products/${id}`, { body: { name } });
      expect(await namesOn(shop)).toEqual([name]);
    }
  });

  test("by SQL alone is on every instance's menu in well under a second", async () => {
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
    "in %s gives the menu another version, and a rollback gives it none",
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

  test("while the listening connection was cut is seen when it is back", async () => {
    const { id } = await makeProduct(shop.sql);
    for (let n = 0; n < 3; n++) {
      await namesOn(shop);
      // Until it is gone: one that is only told to go may still hear what comes next.
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
    // And it listens.
    const name = await rename(shop.sql, id);
    await eventually(async () => (await namesOn(shop)).includes(name), 0.5);
  });

  test("is seen within 5 s even when nobody can listen", async () => {
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

describe("reading", () => {
  test("is done once, however many ask", async () => {
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
    // A reading that takes its time, with what was committed when it began.
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

  test("never gives an old menu to who asks after the change, under constant edits", async () => {
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

  test("is due when something that is sold out comes back, with no change in the database", async () => {
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
    // Well before it would be read again for want of the listener.
    await eventually(available, 3);
    for (let n = 0; n < 5; n++) await available();
    // Once, and once more if word of the changes above comes late.
    expect((await countReloads()) - reloads).toBeLessThanOrEqual(2);
  });

  test("fails for those who ask, and works again for the next", async () => {
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
  // An instance that the machine holds up for 200 ms goes on without Redis, as it should: then the test is another one.
  const unlessHeldUp = { retry: 2 };

  test("ten instances read PostgreSQL once per change", unlessHeldUp, async () => {
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

  test("a copy that is written late is never taken for the new one", unlessHeldUp, async () => {
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

  test("a copy ends when something comes back", async () => {
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
    "an instance that dies while it reads keeps the others waiting for a second at most",
    unlessHeldUp,
    async () => {
      const [one] = await openMany(1);
      const { id } = await makeProduct(shop.sql);
      const name = await rename(shop.sql, id);
      await sleep(100);
      const { version } = await findMenu(shop.sql);
      await one.redis!.set(`ristretto:menu:USD:${version}:reader`, "somebody", "PX", 10_000);
      one.menu.invalidate();
      const began = Date.now();
      expect(await namesOn(one)).toEqual([name]);
      expect(Date.now() - began).toBeLessThan(1_500);
    },
  );

  test("gone, hanging or back, the menu goes on", async () => {
    const shops = await openMany(2);
    const { id } = await makeProduct(shop.sql);
    await eventually(async () =>
      (await Promise.all(shops.map(namesOn))).every((names) => names.length === 1),
    );
    await redis.stop();
    const gone = await rename(shop.sql, id);
    for (const each of shops) await eventually(async () => (await namesOn(each)).includes(gone), 1);
    await redis.start();
    await eventually(() => shops.every((each) => each.redis?.status === "ready"));
    const back = await rename(shop.sql, id);
    for (const each of shops) await eventually(async () => (await namesOn(each)).includes(back), 1);
    redis.pause(true);
    const hanging = await rename(shop.sql, id);
    for (const each of shops) await eventually(async () => (await namesOn(each)).includes(hanging), 2);
    redis.pause(false);
  });
});
