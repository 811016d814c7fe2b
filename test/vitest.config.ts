import { defineConfig } from "vitest/config";
import { tally } from "./tally.ts";

export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/global-setup.ts",
    reporters: ["default", tally],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      // Put together with what the processes that the tests start have run: coverage.mjs.
      reporter: ["json"],
    },
  },
});
