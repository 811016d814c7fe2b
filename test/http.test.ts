// What holds for every request, whatever it asks for.
import { connect } from "node:net";
import { hostname } from "node:os";
import type { Response } from "light-my-request";
import { describe, expect, onTestFinished, test } from "vitest";
import { buildApp } from "../src/app.ts";
import { openPool } from "../src/db/pool.ts";
import { codes } from "../src/http/errors.ts";
import { makeProduct } from "./factories.ts";
import { eventually, expectProblem, openShop, rowsOf, type ShopOptions, testShop } from "./harness.ts";

const shop = testShop();

/** A shop for one test. */
async function otherShop(options: ShopOptions) {
  const other = await openShop(options);
  onTestFinished(other.close);
  return other;
}

const json = { "content-type": "application/json" };
const post = (path: string, payload: string | Buffer, headers: Record<string, string> = json) =>
  shop.app.inject({ method: "POST", url: `/api/v1${path}`, headers, payload });

describe("a refusal is a problem", () => {
  test("on an unknown route", async () => {
    expectProblem(await shop.call("GET", "/nowhere"), 404, "not_found");
    expectProblem(await shop.call("GET", "//nowhere"), 404, "not_found");
  });

  test("on a method that a path doesn't have", async () => {
    expectProblem(await shop.call("DELETE", "/menu"), 404, "not_found");
  });

  test("on an unknown route, before its body is read", async () => {
    for (const headers of [json, { "content-type": "nonsense" }, {}])
      expectProblem(await post("/nowhere", "{", headers as typeof json), 404, "not_found");
    for (const method of ["QUERY", "TRACE"] as never[])
      expectProblem(await shop.app.inject({ method, url: "/api/v1/menu" }), 404, "not_found");
  });

  test("on a path that is not well-formed", async () => {
    for (const path of ["/products/%", "/%c3%28", "/orders/%zz"])
      expectProblem(await shop.call("GET", path), 400, "validation_failed");
  });

  test("on a path's id that is none, however long, and only to who may ask", async () => {
    const customer = await shop.as("customer");
    for (const id of ["x", "x".repeat(2_001), "x".repeat(15_000)]) {
      for (const path of [`/categories/${id}`, `/orders/${id}`, `/users/${id}/cart`])
        expectProblem(await customer.call("GET", path), 400, "validation_failed");
      expectProblem(await shop.call("GET", `/orders/${id}`), 401, "unauthorized");
    }
  });

  const badBodies: [title: string, payload: string][] = [
    ["that isn't JSON", "{"],
    ["of words", "username=a"],
    ["that is empty", ""],
    ["that is an array", "[]"],
    ["that is null", "null"],
    ["that is a number", "1"],
    [
      "with a __proto__",
      '{"username":"a@example.com","password":"password1","__proto__":{"role":"manager"}}',
    ],
    [
      "with a constructor",
      '{"username":"a@example.com","password":"password1","constructor":{"prototype":{"role":"manager"}}}',
    ],
    ["with an unknown key", '{"username":"a@example.com","password":"password1","admin":true}'],
    ["with NUL", String.raw`{"username":"a@example.com","password":"password\u0000"}`],
    ["with half a surrogate pair", String.raw`{"username":"a@example.com","password":"password\ud800"}`],
    ["with NUL in a key", String.raw`{"username":"a@example.com","password":"password1","\u0000":1}`],
  ];
  test.each(badBodies)("on a body %s", async (_title, payload) => {
    expectProblem(await post("/auth/token", payload), 400, "validation_failed");
  });

  test("on bytes that are not UTF-8", async () => {
    const payload = Buffer.from('{"username":"a@example.com","password":"password\xff"}', "latin1");
    const response = await post("/auth/token", payload);
    expect(response.statusCode).toBeLessThan(500);
    expectProblem(response, response.statusCode, response.json().code);
  });

  test("on nesting too deep to mean anything", async () => {
    const customer = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
    for (const depth of [40, 1_500, 10_000]) {
      const payload = `{"items":[{"product_id":"${product.id}","quantity":1}],"metadata":${nested(depth)}}`;
      const response = await customer.call("POST", "/orders", { payload, headers: json });
      expectProblem(response, 400, "validation_failed");
    }
    expect(shop.provider.calls).toEqual([]);
  });

  test("on NUL and half surrogate pairs in an order's texts and keys", async () => {
    const customer = await shop.as("customer");
    const product = await makeProduct(shop.sql);
    const items = `"items":[{"product_id":"${product.id}","quantity":1}]`;
    for (const rest of [
      String.raw`"notes":"\u0000"`,
      String.raw`"notes":"\udc00"`,
      String.raw`"metadata":{"\u0000":1}`,
      String.raw`"metadata":{"\ud800":1}`,
      String.raw`"metadata":{"a":["\u0000"]}`,
    ]) {
      const response = await customer.call("POST", "/orders", {
        payload: `{${items},${rest}}`,
        headers: json,
      });
      expectProblem(response, 400, "validation_failed");
    }
  });

  test("on NUL and broken characters in a query", async () => {
    const manager = await shop.as("manager");
    for (const query of ["q=%00", "category_id=%00", "limit=1%00", "cursor=%00", "q=%ff", "q=%", "%00=1"])
      expectProblemUnlessList(await manager.call("GET", `/admin/products?${query}`));
    expectProblem(await manager.call("GET", "/admin/products?q=%00"), 400, "validation_failed");
  });

  /** A broken percent-encoding in a query is text to some and nonsense to others; it is never an error of ours. */
  function expectProblemUnlessList(response: Response) {
    if (response.statusCode !== 200) expectProblem(response, 400, response.json().code);
  }

  test("on a body over 64 KiB, and not on one below", async () => {
    const body = (length: number) => {
      const frame = '{"username":"","password":"password1"}';
      return frame.replace('""', `"${"a".repeat(length - frame.length)}"`);
    };
    expectProblem(await post("/auth/token", body(64 * 1024)), 400, "validation_failed");
    expectProblem(await post("/auth/token", body(64 * 1024 + 1)), 413, "body_too_large");
  });

  test("on a body that is far too large, to who is still sending it, and his connection stays", async () => {
    const other = await otherShop({});
    const { port } = new URL(await other.app.listen({ port: 0, host: "127.0.0.1" }));
    const length = 8_000_000;
    for (const [header, body] of [
      [`content-length: ${length}`, "x".repeat(length)],
      ["transfer-encoding: chunked", `${length.toString(16)}\r\n${"x".repeat(length)}\r\n0\r\n\r\n`],
    ] as const) {
      let received = "";
      const socket = connect(Number(port), "127.0.0.1").setEncoding("utf8");
      onTestFinished(() => void socket.destroy());
      socket.on("data", (text) => {
        received += text;
      });
      const path = "/api/v1/auth/token";
      socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${header}\r\n\r\n`);
      socket.write(body.slice(0, 200_000));
      await eventually(() => received.includes("body_too_large"));
      expect(received).toMatch(/^HTTP\/1\.1 413 /);
      received = "";
      socket.write(body.slice(200_000));
      socket.write("GET /api/v1/menu HTTP/1.1\r\nhost: x\r\n\r\n");
      await eventually(() => received.startsWith("HTTP/1.1 200 "));
    }
  });

  test("on a media type that isn't read", async () => {
    for (const type of [
      "text/plain",
      "text/xml",
      "application/xml",
      "multipart/form-data; boundary=x",
      "x",
      "*/*",
    ])
      expectProblem(await post("/auth/token", "{}", { "content-type": type }), 415, "unsupported_media_type");
  });

  test("on a body without a media type", async () => {
    expectProblem(await post("/auth/token", "{}", {}), 415, "unsupported_media_type");
  });

  test("on a form where JSON is read", async () => {
    const customer = await shop.as("customer");
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const response = await customer.call("POST", "/orders", { payload: "items=1", headers });
    expectProblem(response, 415, "unsupported_media_type");
  });

  test("on a guarded route without a token, before anything else is judged", async () => {
    const response = await post("/orders", "{", { "content-type": "text/xml" });
    expectProblem(response, 401, "unauthorized");
    expect(response.headers["www-authenticate"]).toBe("Bearer");
  });
});

describe("validation", () => {
  const errorsOf = (response: Response) =>
    Object.fromEntries(
      expectProblem(response, 400, "validation_failed").errors.map(
        ({ path, message }: { path: string; message: string }) => [path, message],
      ),
    );

  test("names each bad field of a body once, in plain words", async () => {
    const manager = await shop.as("manager");
    const body = {
      name: " ",
      base_price_cents: 1.5,
      image_url: 5,
      category_id: "x",
      variations: [{ name: "", price_change_cents: 100_001, "a/b~c": 1 }, { name: "x".repeat(101) }],
    };
    const response = await manager.call("POST", "/admin/products", { body });
    expect(errorsOf(response)).toEqual({
      "/name": "Expected text that isn't blank",
      "/base_price_cents": "Expected integer",
      "/image_url": "Expected string, or null",
      "/category_id": "Expected string to match 'uuid' format, or null",
      "/variations/0/name": "Expected string length greater or equal to 1",
      "/variations/0/price_change_cents": "Expected integer to be less or equal to 100000",
      "/variations/0/a~1b~0c": "Unexpected property",
      "/variations/1/name": "Expected string length less or equal to 100",
      "/variations/1/price_change_cents": "Expected required property",
    });
    expect(response.json().errors).toHaveLength(9);
  });

  test("names at most 100 fields", async () => {
    const body = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`key${index}`, 1]));
    const response = await post("/auth/refresh", JSON.stringify(body));
    expect(expectProblem(response, 400, "validation_failed").errors).toHaveLength(100);
  });

  test("names unstorable text together with the other mistakes", async () => {
    const payload = String.raw`{"email":5,"code":"\u0000","password":"short"}`;
    expect(errorsOf(await post("/auth/password/reset", payload))).toEqual({
      "/email": "Expected string",
      "/code": "Expected text without NUL or broken characters",
      "/password": "Expected string length greater or equal to 8",
    });
  });

  test("counts characters, not UTF-16 units", async () => {
    const manager = await shop.as("manager");
    const create = (name: string) => manager.call("POST", "/admin/categories", { body: { name } });
    expect((await create("☕".repeat(50) + "😀".repeat(50))).statusCode).toBe(201);
    expect(errorsOf(await create("😀".repeat(101)))).toEqual({
      "/name": "Expected string length less or equal to 100",
    });
  });

  test("converts a query's integers in plain decimal notation only", async () => {
    const manager = await shop.as("manager");
    const list = (query: string) => manager.call("GET", `/admin/products?${query}`);
    expect((await list("limit=10")).statusCode).toBe(200);
    for (const limit of ["1e1", "%2010", "010", "0x10", "", "1.0"])
      expect(errorsOf(await list(`limit=${limit}`)), limit).toEqual({ "/limit": "Expected integer" });
    expect(errorsOf(await list("limit=101"))).toEqual({
      "/limit": "Expected integer to be less or equal to 100",
    });
  });

  test("rejects an unknown query parameter", async () => {
    const manager = await shop.as("manager");
    expect(errorsOf(await manager.call("GET", "/admin/orders?Status=canceled"))).toEqual({
      "/Status": "Unexpected property",
    });
    const wanted = await manager.call("GET", "/admin/orders?status=nowhere");
    expect(errorsOf(wanted)["/status"]).toMatch(/^Expected one of waiting, /);
  });
});

describe("a route that takes no body", () => {
  test("refuses one that says something, and does nothing", async () => {
    const customer = await shop.as("customer");
    const manager = await shop.as("manager");
    const product = await makeProduct(shop.sql);
    const line = { product_id: product.id, quantity: 1 };
    const { id } = (await customer.call("POST", "/orders", { body: { items: [line] } })).json();
    const rows = () => rowsOf(shop.sql, ["carts", "cart_items", "orders", "refunds", "users"]);
    const before = await rows();
    for (const [who, method, path] of [
      [customer, "POST", "/users/me/cart"],
      [customer, "DELETE", "/users/me/cart"],
      [customer, "POST", `/users/me/orders/${id}/reorder`],
      [customer, "DELETE", `/users/me/orders/${id}`],
      [manager, "DELETE", `/users/${customer.id}`],
    ] as const)
      for (const payload of ['{"zz":1}', "[]", "7", "null"]) {
        const response = await who.call(method, path, { payload, headers: json });
        expectProblem(response, 400, "validation_failed");
      }
    const cancel = { payload: "null", headers: json };
    expectProblem(await customer.call("POST", `/orders/${id}/cancel`, cancel), 400, "validation_failed");
    expect(await rows()).toEqual(before);
    for (const payload of ["{}", ""]) {
      const emptied = await customer.call("DELETE", "/users/me/cart", { payload, headers: json });
      expect(emptied.statusCode).toBe(204);
    }
  });
});

describe("what is no HTTP", () => {
  test.each([
    ["no request line", "hello\r\n\r\n"],
    ["a header without a name", "GET / HTTP/1.1\r\nhost: x\r\n: x\r\n\r\n"],
    [
      "two lengths",
      "POST /api/v1/auth/token HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ],
    ["a header that is too large", `GET / HTTP/1.1\r\nhost: x\r\nx: ${"x".repeat(20_000)}\r\n\r\n`],
    ["no host", "GET / HTTP/1.1\r\nconnection: close\r\n\r\n"],
  ])("is refused as a problem: %s", async (_title, request) => {
    const other = await otherShop({});
    const { port } = new URL(await other.app.listen({ port: 0, host: "127.0.0.1" }));
    const answer = await new Promise<string>((resolve, reject) => {
      let received = "";
      const socket = connect(Number(port), "127.0.0.1", () => socket.write(request));
      socket.setEncoding("utf8").on("data", (chunk) => {
        received += chunk;
      });
      socket.on("close", () => resolve(received)).on("error", reject);
    });
    const [head, body] = answer.split("\r\n\r\n") as [string, string];
    expect(head).toMatch(/^HTTP\/1\.1 400 .*\r\ncontent-type: application\/problem\+json/is);
    expect(JSON.parse(body)).toMatchObject({
      status: 400,
      code: "validation_failed",
      request_id: expect.any(String),
    });
    expect(head).toContain(JSON.parse(body).request_id);
  });
});

describe("X-Request-Id", () => {
  const ownId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  const ask = (id: string | undefined, path = "/menu") =>
    shop.call("GET", path, { headers: id === undefined ? {} : { "x-request-id": id } });

  test("is echoed, on refusals too", async () => {
    for (const id of ["a", "x".repeat(64), "req_1:2/3~!", "a b"]) {
      expect((await ask(id)).headers["x-request-id"]).toBe(id);
      expect(expectProblem(await ask(id, "/nowhere"), 404, "not_found").request_id).toBe(id);
    }
  });

  test("is made where there is none, each its own", async () => {
    const made = [await ask(undefined), await ask(undefined)].map(({ headers }) => headers["x-request-id"]);
    expect(new Set(made).size).toBe(2);
    for (const id of made) expect(id).toMatch(ownId);
  });

  test("is in the one line that the log has of each answer, with the route's template", async () => {
    const lines: { msg: string }[] = [];
    const other = await otherShop({
      env: { LOG_LEVEL: "info" },
      write: (line) => void lines.push(JSON.parse(line)),
    });
    const { id, call } = await other.as("customer");
    const headers = { "x-request-id": "mine" };
    await call("GET", `/orders/${crypto.randomUUID()}`, { headers });
    await other.call("GET", "/menu", { headers });
    await other.call("GET", "/users/me", { headers });
    await other.call("PUT", "/menu?x=1", { headers });
    await other.app.inject({ method: "HEAD", url: "/api/v1/menu", headers });
    const told = { request_id: "mine", ms: expect.any(Number), level: 30, pid: process.pid };
    expect(lines.filter(({ msg }) => msg === "request")).toEqual(
      [
        { method: "GET", route: "/api/v1/orders/:order_id", status: 404, user_id: id },
        { method: "GET", route: "/api/v1/menu", status: 200 },
        { method: "GET", route: "/api/v1/users/:user_id", status: 401 },
        { method: "PUT", route: "/api/v1/menu?x=1", status: 404 },
        { method: "HEAD", route: "/api/v1/menu", status: 200 },
      ].map((line) => ({ ...line, ...told, msg: "request", time: expect.any(Number), hostname: hostname() })),
    );
  });

  test("is in the log's line of who goes before he is answered, and of who leaves a stream", async () => {
    const lines: Record<string, unknown>[] = [];
    const other = await otherShop({
      env: { LOG_LEVEL: "info" },
      write: (line) => void lines.push(JSON.parse(line)),
    });
    const url = `${await other.app.listen({ port: 0, host: "127.0.0.1" })}/api/v1`;
    const told = () =>
      lines.filter(({ msg }) => msg === "request").map((line) => [line.request_id, line.route, line.status]);
    const { token, ...barista } = await other.as("barista");
    const product = await makeProduct(other.sql);
    const headers = (id: string) => ({ authorization: `Bearer ${token}`, "x-request-id": id });

    const { promise: gone, resolve: goOn } = Promise.withResolvers<void>();
    other.provider.answer = () => ({ status: 200, after: gone });
    const leaving = new AbortController();
    const placing = fetch(`${url}/orders`, {
      method: "POST",
      headers: { ...headers("left"), ...json },
      body: JSON.stringify({ items: [{ product_id: product.id, quantity: 1 }] }),
      signal: leaving.signal,
    });
    await eventually(() => other.provider.calls.length === 1);
    leaving.abort();
    await expect(placing).rejects.toThrow();
    await eventually(() => told().length === 1);
    goOn();
    // It is placed and paid all the same.
    await eventually(async () => (await other.sql`select from orders`).count === 1);

    const closing = new AbortController();
    const board = await fetch(`${url}/admin/orders/events`, {
      headers: headers("seen"),
      signal: closing.signal,
    });
    await board.body!.getReader().read();
    closing.abort();
    await eventually(() => told().length === 2);
    expect((await barista.call("GET", "/users/me", { headers: headers("last") })).statusCode).toBe(200);
    expect(told()).toEqual([
      ["left", "/api/v1/orders", 499],
      ["seen", "/api/v1/admin/orders/events", 200],
      ["last", "/api/v1/users/:user_id", 200],
    ]);
  });

  test("is replaced when it is too long, empty or not plain ASCII", async () => {
    for (const id of ["x".repeat(65), "", "ä", "a\tb"])
      expect((await ask(id)).headers["x-request-id"]).toMatch(ownId);
  });
});

describe("a failure of ours", () => {
  test("never tells its cause", async () => {
    await shop.sql`alter table users rename to elsewhere`;
    onTestFinished(async () => void (await shop.sql`alter table elsewhere rename to users`));
    const response = await post("/auth/token", JSON.stringify(signIn));
    expectProblem(response, 500, "internal_error");
    expect(response.body).not.toMatch(/users|relation|42P01|select|\.ts/i);
  });

  test("is 500 for a SyntaxError that is not the body parser's", async () => {
    const { app, sql } = shop;
    const broken = new Proxy(sql, {
      apply() {
        throw new SyntaxError("Unexpected token");
      },
    });
    const failing = await buildApp({
      settings: app.settings,
      sql: broken,
      checkout: shop.checkout,
      menu: shop.menu,
      redis: undefined,
      log: app.log,
    });
    onTestFinished(() => failing.close());
    const response = await failing.inject({ method: "POST", url: "/api/v1/auth/token", payload: signIn });
    expectProblem(response, 500, "internal_error");
    expect(expectProblem(await post("/auth/token", "{"), 400, "validation_failed").detail).toBe(
      "The body is not valid JSON",
    );
  });

  test("is 503 where the database is away, and health says so", async () => {
    const { app } = shop;
    const sql = openPool("postgres://postgres@127.0.0.1:1/postgres", { name: "test", max: 1 });
    const cut = await buildApp({
      settings: app.settings,
      sql,
      checkout: shop.checkout,
      menu: shop.menu,
      redis: undefined,
      log: app.log,
    });
    onTestFinished(async () => void (await Promise.all([cut.close(), sql.end()])));

    const token = await cut.inject({ method: "POST", url: "/api/v1/auth/token", payload: signIn });
    expectProblem(token, 503, "unavailable");
    expect(token.headers["retry-after"]).toBe("1");
    expect(token.body).not.toMatch(/127\.0\.0\.1|ECONN/);

    const health = await cut.inject("/api/v1/health");
    expect(health.statusCode).toBe(503);
    expect(health.json()).toEqual({
      status: "unavailable",
      checks: { database: "failing", migrations: "failing", mail: "ok" },
    });
    expect((await cut.inject("/api/v1/health/live")).statusCode).toBe(200);
  });

  const signIn = { username: "customer@example.com", password: "customer123" };
});

describe("the operator's pages", () => {
  test("/ links to documents, menu and health", async () => {
    const { links, ...rest } = (await shop.call("GET", "//")).json();
    expect(rest).toEqual({ name: "Ristretto", version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
    for (const link of ["docs", "redoc", "menu", "health"]) {
      const response = await shop.app.inject({ url: links[link] });
      expect(response.statusCode, link).toBe(200);
    }
  });

  test("/health checks the database and its migrations", async () => {
    const response = await shop.call("GET", "/health");
    expect(response.json()).toEqual({
      status: "ok",
      checks: { database: "ok", migrations: "ok", mail: "ok" },
    });
    expect(response.headers["cache-control"]).toBe("no-store");
  });

  test("/health is 503 while a migration is missing", async () => {
    const [last] = await shop.sql`select id, name, run_on from pgmigrations order by id desc limit 1`;
    await shop.sql`delete from pgmigrations where id = ${last!.id}`;
    onTestFinished(async () => void (await shop.sql`insert into pgmigrations ${shop.sql(last as never)}`));
    const response = await shop.call("GET", "/health");
    expect(response.statusCode).toBe(503);
    expect(response.json()).toEqual({
      status: "unavailable",
      checks: { database: "ok", migrations: "failing", mail: "ok" },
    });
  });

  test("/health/live answers for the process alone", async () => {
    expect((await shop.call("GET", "/health/live")).json()).toEqual({
      status: "ok",
      checks: { process: "ok" },
    });
  });

  test("/docs is a page", async () => {
    const response = await shop.call("GET", "//docs");
    expect(response.statusCode).toBe(200);
    expect(response.headers["content-type"]).toMatch(/^text\/html/);
  });
});

describe("the OpenAPI document", () => {
  interface Operation {
    operationId: string;
    requestBody?: { required: boolean };
    summary: string;
    tags: string[];
    security: object[];
    responses: Record<string, unknown>;
  }
  const operationsOf = ({ paths }: { paths: Record<string, Record<string, Operation>> }) =>
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
    );
  const operations = async () => operationsOf((await shop.call("GET", "//docs/json")).json());

  test("is OpenAPI 3.1 and names the contract's paths", async () => {
    const document = (await shop.call("GET", "//docs/json")).json();
    expect(document.openapi).toMatch(/^3\.1\./);
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining(["/", "/api/v1/health", "/api/v1/menu", "/api/v1/orders/{order_id}"]),
    );
  });

  test("gives each operation an id of its own, a summary and one tag", async () => {
    const all = await operations();
    for (const { method, path, operation } of all)
      expect(operation, `${method} ${path}`).toMatchObject({
        operationId: expect.stringMatching(/^[a-z][A-Za-z]+$/),
        summary: expect.stringMatching(/\S/),
        tags: [expect.stringMatching(/\S/)],
      });
    expect(
      all
        .filter(({ operation }) => operation.requestBody?.required === false)
        .map(({ operation }) => operation.operationId)
        .sort(),
    ).toEqual(["cancelOrder", "checkOut"]);
    expect(new Set(all.map(({ operation }) => operation.operationId)).size).toBe(all.length);
  });

  test("asks for a token on exactly the routes that refuse without one", async () => {
    // With limits, as in production: the limiter's hooks stand beside the guards.
    const { app } = await otherShop({ env: { RATE_LIMIT_MAX: "1000" } });
    for (const { method, path, operation } of operationsOf(app.swagger() as never)) {
      const url = path.replace(/\{\w+\}/g, "0");
      const response = await app.inject({ method: method as "GET", url });
      const guarded = response.statusCode === 401 && response.json().code === "unauthorized";
      expect(operation.security, `${method} ${path}`).toEqual(guarded ? [{ bearer: [] }] : []);
    }
  });

  test("has every error code, each within the one shape", async () => {
    const { components } = (await shop.call("GET", "//docs/json")).json();
    expect(components.schemas.ErrorCode.enum).toEqual(Object.keys(codes));
    for (const { method, path, operation } of await operations())
      for (const [status, response] of Object.entries(operation.responses)) {
        if (Number(status) < 400 || path.endsWith("/health")) continue;
        const { $ref } = response as { $ref?: string };
        expect(
          $ref ? components.responses[$ref.split("/").at(-1)!] : response,
          `${method} ${path} ${status}`,
        ).toMatchObject({
          content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        });
      }
  });

  test("refers to nothing that isn't in it", async () => {
    const { body } = await shop.call("GET", "//docs/json");
    const { components } = JSON.parse(body);
    for (const [, section, name] of body.matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g))
      expect(components[section!]).toHaveProperty([name!]);
    expect(body).not.toMatch(/"\$ref":"(?!#\/components\/)/);
  });
});

describe("CORS_ORIGINS", () => {
  test("are told to who asks from nowhere too", async () => {
    const other = await otherShop({ env: { CORS_ORIGINS: "https://shop.example" } });
    const response = await other.app.inject({ method: "OPTIONS", url: "/api/v1/menu" });
    expect([response.statusCode, response.body]).toEqual([204, ""]);
    expect(response.headers["access-control-allow-methods"]).toContain("PATCH");
  });

  const allowed = async (origin: string, env: Record<string, string>) => {
    const other = await otherShop({ env });
    const headers = { origin };
    const response = await other.call("GET", "/menu", { headers });
    const preflight = await other.app.inject({
      method: "OPTIONS",
      url: "/api/v1/orders",
      headers: { ...headers, "access-control-request-method": "POST" },
    });
    expect(preflight.headers["access-control-allow-origin"]).toBe(
      response.headers["access-control-allow-origin"],
    );
    return response.headers["access-control-allow-origin"];
  };

  test("lets a listed origin in, and no other", async () => {
    const env = { CORS_ORIGINS: "https://shop.example,https://staff.example" };
    expect(await allowed("https://staff.example", env)).toBe("https://staff.example");
    expect(await allowed("https://shop.example.evil.example", env)).toBeUndefined();
  });

  test("lets nobody in by default, and everybody by *", async () => {
    expect(await allowed("https://shop.example", {})).toBeUndefined();
    expect(await allowed("https://shop.example", { CORS_ORIGINS: "*" })).toBe("*");
  });

  test("lets a script send every method that the API has", async () => {
    const other = await otherShop({ env: { CORS_ORIGINS: "*" } });
    const { headers } = await other.app.inject({
      method: "OPTIONS",
      url: "/api/v1/orders",
      headers: {
        origin: "https://shop.example",
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization,content-type,idempotency-key",
      },
    });
    for (const method of ["GET", "POST", "PATCH", "PUT", "DELETE"])
      expect(headers["access-control-allow-methods"]).toContain(method);
    expect(headers["access-control-allow-headers"]).toContain("idempotency-key");
  });
});

describe("RATE_LIMIT_MAX", () => {
  test("refuses what is over it as a problem, with Retry-After", async () => {
    const other = await otherShop({ env: { RATE_LIMIT_MAX: "3" } });
    for (let n = 0; n < 3; n++) expect((await other.call("GET", "/menu")).statusCode).toBe(200);
    const response = await other.call("GET", "/menu");
    expectProblem(response, 429, "rate_limited");
    expect(Number(response.headers["retry-after"])).toBeGreaterThan(0);
    expect(Number(response.headers["retry-after"])).toBeLessThanOrEqual(60);
  });

  test("counts unknown routes and refusals too", async () => {
    const other = await otherShop({ env: { RATE_LIMIT_MAX: "2" } });
    expectProblem(await other.call("GET", "/nowhere"), 404, "not_found");
    expectProblem(await other.call("POST", "/orders", { body: {} }), 401, "unauthorized");
    expectProblem(await other.call("GET", "/nowhere"), 429, "rate_limited");
  });
});

describe("TRUST_PROXY", () => {
  const statuses = async (env: Record<string, string>, forwarded: string[]) => {
    const other = await otherShop({ env: { RATE_LIMIT_MAX: "1", ...env } });
    const answers: number[] = [];
    for (const header of forwarded)
      answers.push((await other.call("GET", "/menu", { headers: { "x-forwarded-for": header } })).statusCode);
    return answers;
  };

  test("by default believes no X-Forwarded-For", async () => {
    expect(await statuses({}, ["1.1.1.1", "2.2.2.2"])).toEqual([200, 429]);
  });

  test("believes as many entries as there are proxies, from the end, and none that was forged before them", async () => {
    expect(await statuses({ TRUST_PROXY: "1" }, ["1.1.1.1", "2.2.2.2"])).toEqual([200, 200]);
    expect(await statuses({ TRUST_PROXY: "1" }, ["1.1.1.1", "9.9.9.9, 1.1.1.1"])).toEqual([200, 429]);
    expect(await statuses({ TRUST_PROXY: "2" }, ["1.1.1.1, 5.5.5.5", "9.9.9.9, 1.1.1.1, 6.6.6.6"])).toEqual([
      200, 429,
    ]);
  });
});
