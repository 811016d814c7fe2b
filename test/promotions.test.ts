import { beforeEach, describe, expect, test } from "vitest";
import { type Call, expectProblem, rowsOf, testShop } from "./harness.ts";

const shop = testShop();

let manager: Awaited<ReturnType<typeof shop.as>>;
beforeEach(async () => {
  manager = await shop.as("manager");
});

const create = async (body: object) => {
  const response = await manager.call("POST", "/admin/promotions", { body });
  expect(response.statusCode, response.body).toBe(201);
  return response.json();
};

async function expectRefusal(call: () => ReturnType<Call>, status: number, code: string) {
  const before = await rowsOf(shop.sql, ["promotions", "events"]);
  const problem = expectProblem(await call(), status, code);
  expect(await rowsOf(shop.sql, ["promotions", "events"])).toEqual(before);
  return problem;
}

const titles = async (path = "/promotions", call = shop.call) => {
  const response = await call("GET", path);
  expect(response.statusCode, response.body).toBe(200);
  return response.json().items.map(({ title }: { title: string }) => title);
};

const hours = (n: number) => new Date(Date.now() + n * 3_600_000).toISOString();

const nobody = "01920000-0000-7000-8000-00000000ffff";

test("times may have any RFC 3339 offset, and are stored in UTC", async () => {
  const body = {
    title: "Elsewhere",
    starts_at: "2026-01-01T00:00:00.5+23:59",
    ends_at: "2026-01-01T00:00:00-23:59",
  };
  const made = await manager.call("POST", "/admin/promotions", { body });
  expect(made.json()).toMatchObject({
    starts_at: "2025-12-31T00:01:00.500Z",
    ends_at: "2026-01-01T23:59:00.000Z",
  });
});

test.each(["0001", "0021", "0049", "0099", "1999", "9999"])("the year %s is kept", async (year) => {
  const time = `${year}-03-22T11:36:13.020Z`;
  const made = await manager.call("POST", "/admin/promotions", { body: { title: year, starts_at: time } });
  expect(made.json()).toMatchObject({ starts_at: time });
  const { items } = (await manager.call("GET", "/admin/promotions?limit=100")).json();
  expect(items.find(({ title }: { title: string }) => title === year)).toMatchObject({ starts_at: time });
});

test("a promotion is created, read, changed, cleared and archived", async () => {
  const body = {
    title: "Two for one",
    description: "On Mondays",
    image_url: "/images/monday.png",
    link_url: "https://shop.example/monday",
    sort_order: 2,
    starts_at: hours(-1),
    ends_at: hours(1),
  };
  const made = await manager.call("POST", "/admin/promotions", { body });
  expect(made.statusCode, made.body).toBe(201);
  const promotion = made.json();
  expect(promotion).toMatchObject(body);
  const path = `/admin/promotions/${promotion.id}`;
  expect(made.headers).toMatchObject({ location: `/api/v1${path}`, "cache-control": "no-store" });
  expect((await manager.call("GET", path)).json()).toEqual(promotion);
  expect((await shop.call("GET", "/promotions")).json().items).toEqual([promotion]);

  const empty = { description: null, image_url: null, link_url: null, starts_at: null, ends_at: null };
  const changed = (await manager.call("PATCH", path, { body: empty })).json();
  expect(changed).toEqual({ ...promotion, ...empty, updated_at: expect.any(String) });
  expect((await manager.call("PATCH", path, { body: { title: "Three" } })).json()).toMatchObject({
    title: "Three",
    sort_order: 2,
  });

  expect((await manager.call("DELETE", path)).statusCode).toBe(204);
  expect(await titles()).toEqual([]);
  expect(await titles("/admin/promotions", manager.call)).toEqual([]);
  for (const method of ["GET", "DELETE"] as const)
    await expectRefusal(() => manager.call(method, path), 404, "not_found");
  await expectRefusal(() => manager.call("PATCH", path, { body: { title: "x" } }), 404, "not_found");
  await expectRefusal(() => manager.call("GET", `/admin/promotions/${nobody}`), 404, "not_found");
});

test("the public list has current promotions by sort_order, in pages", async () => {
  await create({ title: "C", sort_order: 3 });
  await create({ title: "A", sort_order: 1, starts_at: hours(-1) });
  await create({ title: "past", sort_order: 1, ends_at: hours(-1) });
  await create({ title: "coming", sort_order: 1, starts_at: hours(1) });
  await create({ title: "B", sort_order: 2, starts_at: hours(-2), ends_at: hours(1) });
  await create({ title: "Zero" });
  expect(await titles()).toEqual(["Zero", "A", "B", "C"]);
  const first = (await shop.call("GET", "/promotions?limit=3")).json();
  expect(first.items).toHaveLength(3);
  expect(await titles(`/promotions?limit=3&cursor=${first.next_cursor}`)).toEqual(["C"]);
  expect(await titles("/admin/promotions", manager.call)).toEqual(["Zero", "B", "coming", "past", "A", "C"]);
  expectProblem(await shop.call("GET", "/promotions?cursor=x"), 400, "invalid_cursor");
});

describe("a promotion is rejected for", () => {
  test.each<[string, object, string]>([
    ["no title", { title: undefined }, "/title"],
    ["a blank title", { title: " " }, "/title"],
    ["a long title", { title: "t".repeat(201) }, "/title"],
    ["null for a title", { title: null }, "/title"],
    ["a script as a link", { link_url: "javascript:alert(1)" }, "/link_url"],
    ["data as a picture", { image_url: "data:text/html,x" }, "/image_url"],
    ["a link without a scheme", { link_url: "shop.example" }, "/link_url"],
    ["a link with a blank", { link_url: "https://shop.example/a b" }, "/link_url"],
    ["a time of another form", { starts_at: "2026-01-01" }, "/starts_at"],
    ["a time that there is not", { ends_at: "2026-02-31T25:00:00Z" }, "/ends_at"],
    ["a day that there is not", { ends_at: "2026-02-30T00:00:00Z" }, "/ends_at"],
    ["the hour after the last", { ends_at: "2026-01-01T24:00:00Z" }, "/ends_at"],
    ["a year of five digits, in UTC", { ends_at: "9999-12-31T23:59:59-01:00" }, "/ends_at"],
    ["a time before the first year, in UTC", { ends_at: "0001-01-01T00:00:00+01:00" }, "/ends_at"],
    ["an order that is text", { sort_order: "1" }, "/sort_order"],
    ["an unknown key", { colour: "red" }, "/colour"],
    ["an end before its start", { starts_at: hours(2), ends_at: hours(1) }, "/ends_at"],
    [
      "an end at its start",
      { starts_at: "2026-01-01T00:00:00Z", ends_at: "2026-01-01T01:00:00+01:00" },
      "/ends_at",
    ],
  ])("%s", async (_title, fields, path) => {
    const body = { title: "Two for one", ...fields };
    const problem = await expectRefusal(
      () => manager.call("POST", "/admin/promotions", { body }),
      400,
      "validation_failed",
    );
    expect(problem.errors).toMatchObject([{ path }]);
  });

  test("a change that puts the end before the stored start", async () => {
    const { id } = await create({ title: "Two for one", starts_at: hours(2), ends_at: hours(3) });
    const patch = (body: object) => () => manager.call("PATCH", `/admin/promotions/${id}`, { body });
    await expectRefusal(patch({ ends_at: hours(1) }), 400, "validation_failed");
    await expectRefusal(patch({ starts_at: hours(4) }), 400, "validation_failed");
    await expectRefusal(patch({}), 400, "validation_failed");
    expect((await patch({ starts_at: null, ends_at: hours(1) })()).statusCode).toBe(200);
  });

  test("users other than managers", async () => {
    const body = { title: "Two for one" };
    const { id } = await create(body);
    const callers = [await shop.as("customer"), await shop.as("barista")];
    for (const [method, path, options] of [
      ["GET", "/admin/promotions"],
      ["POST", "/admin/promotions", { body }],
      ["GET", `/admin/promotions/${id}`],
      ["PATCH", `/admin/promotions/${id}`, { body }],
      ["DELETE", `/admin/promotions/${id}`],
    ] as const) {
      for (const { call } of callers)
        await expectRefusal(() => call(method, path, options), 403, "forbidden");
      await expectRefusal(() => shop.call(method, path, options), 401, "unauthorized");
    }
  });
});
