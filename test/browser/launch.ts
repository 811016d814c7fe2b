import { chromium } from "playwright-core";

export const executablePath = "/usr/bin/chromium";

/** Launches Chromium. Works as root and makes no requests of its own. */
export const launchBrowser = () =>
  chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
    ],
  });
