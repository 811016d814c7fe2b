import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { expectProblem, testShop } from "./harness.ts";

const importMapOf = (page: string) => /<script type="importmap">(.*?)<\/script>/s.exec(page)![1]!;

describe("the staff page", () => {
  const shop = testShop({ env: { API_PREFIX: "/shop/v2", CURRENCY: "EUR" } });
  const get = (path: string, headers: Record<string, string> = {}) =>
    shop.call("GET", `/${path}`, { headers });

  /** Returns every file that the page may load, found as a browser finds them. */
  async function files() {
    const found = new Set(["/admin"]);
    for (const path of found) {
      const body = (await get(path)).body.replaceAll(/\/\*\*.*?\*\//gs, "");
      for (const [, link] of body.matchAll(/(?:href|src)="(\/[^"]+)"/g)) found.add(link!);
      for (const [, module] of body.matchAll(/(?:\bfrom\s*|=> import\()"(\.[\w./-]+)"/g))
        found.add(new URL(module!, `http://shop${path}`).pathname);
      if (path === "/admin")
        for (const file of Object.values<string>(JSON.parse(importMapOf(body)).imports)) found.add(file);
    }
    return [...found];
  }

  test("is less than 100 KB compressed", async () => {
    const sizes = await Promise.all(
      (await files()).map(async (path) => {
        const { statusCode, rawPayload } = await get(path);
        expect([path, statusCode]).toEqual([path, 200]);
        return gzipSync(rawPayload).length;
      }),
    );
    expect(sizes.length).toBeGreaterThan(20);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(100_000);
  });

  test("has a file for every package that a module imports", async () => {
    const { imports } = JSON.parse(importMapOf((await get("/admin")).body));
    const names = new Set<string>();
    for (const path of await files())
      for (const [, name] of (await get(path)).body.matchAll(/\bfrom\s*["']([\w@][\w@/-]*)["']/g))
        names.add(name!);
    expect(names).toEqual(new Set(Object.keys(imports)));
    for (const path of Object.values<string>(imports)) {
      const { statusCode, headers } = await get(path);
      expect(statusCode).toBe(200);
      expect(headers["content-type"]).toMatch(/javascript/);
    }
  });

  test("contains the API's prefix and the currency, and runs only its own files", async () => {
    const { body, headers } = await get("/admin");
    expect(body).toContain('<meta name="api-prefix" content="/shop/v2" />');
    expect(body).toContain('<meta name="currency" content="EUR" />');
    // The import map is not code, and its hash allows only this one.
    const importMap = importMapOf(body);
    expect(body.replace(`<script type="importmap">${importMap}</script>`, "")).not.toMatch(
      /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/,
    );
    const hash = createHash("sha256").update(importMap).digest("base64");
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`script-src 'self' 'sha256-${hash}';`);
    expect(policy).toContain("style-src 'self';");
    expect(policy).not.toMatch(/unsafe|nonce|\*/);
    expect(headers["x-frame-options"]).toBe("DENY");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  });

  test.each(["/admin", "/admin/app.js"])("a browser revalidates %s at each use", async (path) => {
    const { headers } = await get(path);
    expect(headers["cache-control"]).toMatch(/no-cache|max-age=0/);
    const again = await get(path, { "if-none-match": String(headers.etag) });
    expect([again.statusCode, again.body]).toEqual([304, ""]);
    expect(again.headers["content-security-policy"]).toBe(headers["content-security-policy"]);
    const other = await get("/admin/board.js", { "if-none-match": String(headers.etag) });
    expect(other.statusCode).toBe(200);
  });

  test("serves no other files of the source", async () => {
    for (const path of [
      "routes.ts",
      "tsconfig.json",
      "index.html",
      "",
      "admin",
      "../app.ts",
      "%2e%2e/app.ts",
      "preact.mjs.map",
    ])
      expectProblem(await get(`/admin/${path}`), 404, "not_found");
  });

  test("is one route in the metrics for all its files", async () => {
    for (const path of ["/admin", "/admin/app.js", "/admin/preact.mjs"]) await get(path);
    const { body } = await get("/metrics");
    const counted = body.matchAll(/http_requests_total\{[^}]*route="(\/admin[^"]*)"/g);
    expect(new Set([...counted].map(([, route]) => route))).toEqual(new Set(["/admin", "/admin/*"]));
  });
});

describe("a malformed request for a file", () => {
  const shop = testShop();
  const folders = ["/admin", "/docs/static", "/redoc"];

  test.each(folders.map((folder) => [folder]))("under %s gets 4xx", async (folder) => {
    for (const path of [
      "..%2f",
      "..%2fapp.ts",
      "%2e%2e/app.ts",
      "/app.js",
      "%00",
      "app.js%00",
      "a%5c..%5capp.js",
      "app.js/",
      "app.js/x",
      "x".repeat(300),
      "x/".repeat(3_000),
      "%25",
    ])
      expectProblem(await shop.app.inject(`${folder}/${path}`), 404, "not_found");
    expectProblem(await shop.app.inject(`${folder}/%ff`), 400, "validation_failed");
  });

  test.each(["/admin/app.js", "/docs/static/swagger-ui.css", "/redoc/redoc.standalone.js", "/redoc"])(
    "with malformed headers, of %s, gets 4xx",
    async (url) => {
      for (const range of ["bytes=9-1", "bytes=99999999-", "bytes=0-1,5-6", "x"]) {
        const response = await shop.app.inject({ url, headers: { range } });
        if (response.statusCode !== 200) expectProblem(response, 400, "validation_failed");
      }
      const conditional = { url, headers: { "if-match": '"other"' } };
      expectProblem(await shop.app.inject(conditional), 412, "stale_version");
    },
  );
});
