import { defineConfig } from "vitest/config";
import { tally } from "./summary-reporter.ts";

export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/global-setup.ts",
    reporters: ["default", tally],
    pool: "forks",
    // One more than the cores of a small machine: a good part of what the tests do is to wait.
    maxWorkers: 3,
    // Tests with real servers and time limits can fail on a machine that is shared. A test that fails three times is broken.
    retry: process.env.CI ? 2 : 0,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      // Put together with what the processes that the tests start have run: coverage.mjs.
      reporter: ["json"],
    },
  },
});
