// Swagger UI and ReDoc, under the policy that their pages have, in a real browser.
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

  /** Opens a page, waits for what it should show; gives it with what it was refused and asked of others. */
  async function open(path: string, expected: string[]) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())));
    page.on("request", (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(url))
        complaints.push(request.url());
    });
    await page.goto(`${url}${path}`);
    for (const text of expected)
      await page.getByRole("heading", { name: text }).first().waitFor({ timeout: 30_000 });
    return { page, complaints };
  }

  test("/redoc shows every operation, and searches", async () => {
    const { page, complaints } = await open("/redoc", ["Order and pay", "Retries"]);
    await page.getByPlaceholder("Search...").fill("refund");
    await page.locator("[data-role='search:results'] li").first().waitFor({ timeout: 30_000 });
    await page.screenshot({ path: "test/browser/screenshots/redoc.png" });
    expect(complaints).toEqual([]);
  });

  test("/docs shows every operation, and tries one", async () => {
    const { page, complaints } = await open("/docs", ["Ristretto"]);
    await page.screenshot({ path: "test/browser/screenshots/docs.png" });
    await page.locator("#operations-catalog-readMenu .opblock-summary-control").click();
    await page.getByRole("button", { name: "Try it out" }).click();
    await page.getByRole("button", { name: "Execute" }).click();
    await page.locator("#operations-catalog-readMenu .live-responses-table .response").first().waitFor();
    expect(await page.locator("#operations-catalog-readMenu .live-responses-table").innerText()).toContain(
      '"currency"',
    );
    expect(complaints).toEqual([]);
  });
});
