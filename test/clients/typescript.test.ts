// A TypeScript client, from the committed document: generated, compiled strictly, and used against a running service.
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { seed } from "../../src/db/migrate.ts";
import { testShop } from "../harness.ts";
import { committedFile } from "../openapi/committed.ts";

const run = promisify(execFile);
const shop = testShop();

const folder = resolve(import.meta.dirname, "typescript");
const schema = resolve(folder, "schema.d.ts");
const generator = resolve(import.meta.dirname, "node_modules/.bin/openapi-typescript");
const compiler = resolve(import.meta.dirname, "../../node_modules/.bin/tsc");

test("a generated TypeScript client compiles strictly, and orders with it", async () => {
  onTestFinished(() => rm(schema, { force: true }));
  await run(generator, [committedFile, "--output", schema]);
  const compiled = await run(compiler, ["--project", folder]).catch((error) => error);
  expect(compiled.stdout).toBe("");

  await seed(shop.sql);
  const url = await shop.app.listen({ port: 0, host: "127.0.0.1" });
  const { stdout } = await run(process.execPath, [resolve(folder, "order.ts"), url]);
  const orders = await shop.sql`select id, total_cents, status from orders`;
  const [order] = orders;
  expect(orders).toHaveLength(1);
  expect(JSON.parse(stdout)).toEqual({
    status: [201, 200, 409],
    order: order!.id,
    again: order!.id,
    replayed: "true",
    total_cents: order!.total_cents,
    shown: "We have your order",
    told: `it costs ${order!.total_cents} now`,
  });
  expect(shop.provider.callsTo("/payments")).toHaveLength(1);
});
