// Swagger UI and ReDoc under their content security policy, in a real browser.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testShop } from "../harness.ts";
import { noBrowser } from "./browser.ts";
import { launchBrowser } from "./launch.ts";

describe.skipIf(noBrowser)("in a browser", { timeout: 60_000 }, () => {
  const shop = testShop();
  let url: string;
  let browser: Browser;
  beforeAll(async () => {
    url = await shop.app.listen({ port: 0, host: "127.0.0.1" });
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  /** Opens a page and waits for its headings. Returns it with errors and requests to other sites. */
  async function open(path: string, expected: string[]) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => void (message.type() === "error" && problems.push(message.text())));
    page.on("request", (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(url))
        problems.push(request.url());
    });
    await page.goto(`${url}${path}`);
    for (const text of expected)
      await page.getByRole("heading", { name: text }).first().waitFor({ timeout: 30_000 });
    return { page, problems };
  }

  test("/redoc shows every operation, and searches", async () => {
    const { page, problems } = await open("/redoc", ["Place and pay an order", "Retries"]);
    await page.getByPlaceholder("Search...").fill("refund");
    await page.locator("[data-role='search:results'] li").first().waitFor({ timeout: 30_000 });
    await page.screenshot({ path: "test/browser/screenshots/redoc.png" });
    expect(problems).toEqual([]);
  });

  test("/docs shows every operation, and tries one", async () => {
    const { page, problems } = await open("/docs", ["Ristretto"]);
    await page.screenshot({ path: "test/browser/screenshots/docs.png" });
    await page.locator("#operations-catalog-readMenu .opblock-summary-control").click();
    await page.getByRole("button", { name: "Try it out" }).click();
    await page.getByRole("button", { name: "Execute" }).click();
    await page.locator("#operations-catalog-readMenu .live-responses-table .response").first().waitFor();
    expect(await page.locator("#operations-catalog-readMenu .live-responses-table").innerText()).toContain(
      '"currency"',
    );
    expect(problems).toEqual([]);
  });
});
