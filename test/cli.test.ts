// What `src/cli.ts` refuses, as an operator runs it. What it does is tested where each command is at home.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { rowsOf, testShop } from "./harness.ts";

const shop = testShop();

test.each([
  ["the seeds in production, whose passwords everybody knows", "seed", "The seeds are for development"],
  ["a command that there is not", "sed", "Unknown command: sed"],
])("refuses %s", async (_title, command, told) => {
  const env = { PATH: process.env.PATH, NODE_ENV: "production", DATABASE_URL: shop.databaseUrl };
  const refused = promisify(execFile)(process.execPath, ["src/cli.ts", command], { env });
  const { code, stderr } = await refused.then(
    () => expect.unreachable(),
    (error) => error,
  );
  expect(code).toBe(1);
  expect(stderr).toContain(told);
  expect(stderr).not.toContain("    at ");
  expect(await rowsOf(shop.sql, ["users", "products"])).toEqual([[], []]);
});
