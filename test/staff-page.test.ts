import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { expectProblem, testShop } from "./harness.ts";

describe("the staff's page as it is served", () => {
  const shop = testShop({ env: { API_PREFIX: "/shop/v2", CURRENCY: "EUR" } });
  const get = (path: string, headers: Record<string, string> = {}) =>
    shop.call("GET", `/${path}`, { headers });

  /** Every file that the page may fetch, found as a browser finds them. */
  async function files() {
    const found = new Set(["/admin"]);
    for (const path of found) {
      const body = (await get(path)).body.replaceAll(/\/\*\*.*?\*\//gs, "");
      for (const [, link] of body.matchAll(/(?:href|src)="(\/[^"]+)"/g)) found.add(link!);
      for (const [, module] of body.matchAll(/(?:\bfrom\s*|=> import\()"([\w./-]+)"/g))
        if (path.endsWith(".js")) found.add(new URL(module!, `http://shop${path}`).pathname);
    }
    return [...found];
  }

  test("all of it is less than 100 KB compressed, also without brotli", async () => {
    const sizes = await Promise.all(
      (await files()).map(async (path) => {
        const response = await get(path, { "accept-encoding": "gzip" });
        expect([path, response.statusCode, response.headers["content-encoding"]]).toEqual([
          path,
          200,
          "gzip",
        ]);
        const text = gunzipSync(response.rawPayload).toString();
        // No name that a browser can't resolve is left, as of a package that is new.
        expect(text).not.toMatch(/\bfrom\s*["'](?![./])[\w@/-]+["']/);
        return response.rawPayload.length;
      }),
    );
    expect(sizes.length).toBeGreaterThan(20);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(100_000);
  });

  test("it learns where the API is and what money is, and may run no code but its own files'", async () => {
    const { body, headers } = await get("/admin");
    expect(body).toContain('<meta name="api-prefix" content="/shop/v2" />');
    expect(body).toContain('<meta name="currency" content="EUR" />');
    expect(body).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("style-src 'self';");
    expect(policy).not.toMatch(/unsafe|nonce|\*/);
    expect(headers["x-frame-options"]).toBe("DENY");
  });

  test("it is kept by the browser, which asks each time whether there is a new one", async () => {
    const { headers } = await get("/admin/app.js", { "accept-encoding": "br, gzip" });
    expect(headers).toMatchObject({
      "cache-control": "no-cache",
      "content-encoding": "br",
      "content-type": "text/javascript; charset=utf-8",
      vary: expect.stringContaining("Accept-Encoding"),
    });
    const again = await get("/admin/app.js", { "if-none-match": String(headers.etag) });
    expect([again.statusCode, again.body]).toEqual([304, ""]);
    const other = await get("/admin/board.js", { "if-none-match": String(headers.etag) });
    expect(other.statusCode).toBe(200);
  });

  test("nothing else of the source is served", async () => {
    for (const path of ["routes.ts", "tsconfig.json", "", "../app.ts", "%2e%2e/app.ts", "vendor/preact.mjs"])
      expectProblem(await get(`/admin/${path}`), 404, "not_found");
  });

  test("its files are one route in the metrics", async () => {
    for (const path of ["/admin", "/admin/app.js", "/admin/vendor/preact.js"]) await get(path);
    const { body } = await get("/metrics");
    const counted = body.matchAll(/http_requests_total\{[^}]*route="(\/admin[^"]*)"/g);
    expect(new Set([...counted].map(([, route]) => route))).toEqual(new Set(["/admin", "/admin/*"]));
  });
});
