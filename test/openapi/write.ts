// `npm run openapi`: writes openapi.json. It asks for no database: the document is made from the routes alone.
import { writeFile } from "node:fs/promises";
import { pino } from "pino";
import { buildApp } from "../../src/app.ts";
import { openMenuCache } from "../../src/catalog/menu-cache.ts";
import { createCheckout } from "../../src/checkout/context.ts";
import { readSettings } from "../../src/config.ts";
import { openPool } from "../../src/db/pool.ts";
import { committedFile } from "./committed.ts";

const nowhere = "postgres://nobody@127.0.0.1:1/nothing";
const settings = readSettings({
  DATABASE_URL: nowhere,
  PAYMENT_SERVICE_URL: "http://127.0.0.1:1",
  NOTIFICATION_SERVICE_URL: "http://127.0.0.1:1",
}) as Parameters<typeof createCheckout>[0];
const log = pino({ level: "silent" });
const sql = openPool(nowhere, { name: "openapi", max: 1 });
const checkout = createCheckout(settings, sql, log);
const menu = openMenuCache(settings, sql, log);
const app = await buildApp({ settings, sql, checkout, menu, redis: undefined, log });
await app.ready();
await writeFile(committedFile, `${JSON.stringify(app.swagger(), null, 2)}\n`);
await app.close();
await Promise.all([menu.close(), checkout.close(), sql.end()]);
