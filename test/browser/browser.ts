// Chromium as a person at the shop has it, and what is asked of every view.
import { accessSync } from "node:fs";
import axe from "axe-core";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { missing } from "../skip-if-unavailable.ts";
import { executablePath, launchBrowser } from "./launch.ts";

export const noBrowser = missing("chromium", () => accessSync(executablePath));

export const phone = { width: 390, height: 844 };
export const tablet = { width: 1024, height: 768 };
export const desk = { width: 1440, height: 900 };

export type { Page };

export interface Visit {
  page: Page;
  /** What the browser complained of: errors of scripts, and what the page's policy forbids. */
  complaints: string[];
  close: () => Promise<void>;
}

export interface Screen {
  viewport?: typeof phone;
  colorScheme?: "light" | "dark";
  timezoneId?: string;
}

/** A browser for a test file: `visit` opens a page with a storage of its own, as on a device of its own. */
export function testBrowser() {
  let browser: Browser;
  const open: Visit[] = [];
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(async () => {
    for (const { close } of open) await close();
    await browser?.close();
  });

  async function visit(
    url: string,
    { viewport = desk, colorScheme = "light", timezoneId }: Screen = {},
  ): Promise<Visit> {
    const context = await browser.newContext({
      viewport,
      colorScheme,
      reducedMotion: "reduce",
      locale: "en-US",
      ...(timezoneId && { timezoneId }),
    });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text());
    });
    await page.goto(`${url}/admin`);
    const visit = { page, complaints, close: () => context.close() };
    open.push(visit);
    return visit;
  }
  return { visit };
}

export async function signIn(page: Page, email: string, password: string) {
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** For people to look at: git ignores the folder. */
export const screenshot = (page: Page, name: string) =>
  page.screenshot({ path: `test/browser/screenshots/${name}.png` });

/** Expects axe to find nothing serious or critical in what the page shows now. */
export async function expectAccessible(page: Page) {
  // Not as a script of the page's, which its policy would refuse.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(grave.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))).toEqual([]);
}

/** Drops a file there, as from a folder. */
export async function dropFile(place: Locator, name: string, type: string, bytes: Buffer) {
  const transfer = `(() => {
    const transfer = new DataTransfer();
    const bytes = new Uint8Array(${JSON.stringify([...bytes])});
    transfer.items.add(new File([bytes], ${JSON.stringify(name)}, { type: ${JSON.stringify(type)} }));
    return transfer;
  })()`;
  await place.dispatchEvent("drop", { dataTransfer: await place.page().evaluateHandle(transfer) });
}

/** Expects that nothing in there has to be scrolled sideways to be seen. */
export async function expectNothingCutOff(page: Page, selector: string) {
  const [scroll, client] = await page
    .locator(selector)
    .evaluate(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth]);
  expect(scroll).toBe(client);
}
