// `npm start`: runs one instance of the service.
import type { AddressInfo } from "node:net";
import { buildApp } from "./app.ts";
import { openMenuCache } from "./catalog/menu-cache.ts";
import { createCheckout } from "./checkout/context.ts";
import { assertComplete } from "./config.ts";
import { isEmpty, migrate, seed } from "./db/migrate.ts";
import { openPool } from "./db/pool.ts";
import type { Worker } from "./jobs.ts";
import { runProcess } from "./lifecycle.ts";

await runProcess(async ({ settings: given, log, stack }) => {
  const sandbox = given.production ? undefined : await import("./dev/defaults.ts");
  const settings = sandbox ? await sandbox.applyDefaults(given, stack) : assertComplete(given);

  // In production `npm run migrate` runs before the instances start.
  if (sandbox) await migrate(settings.databaseUrl);

  const sql = openPool(settings.databaseUrl, { name: "api", max: settings.databasePoolMax });
  stack.defer(() => sql.end({ timeout: 5 }));
  if (sandbox && (await isEmpty(sql))) await seed(sql);

  const checkout = createCheckout(settings, sql, log);
  stack.defer(checkout.close);

  const redis = settings.redisUrl
    ? (await import("./redis.ts")).openRedis(settings.redisUrl, log)
    : undefined;
  stack.defer(() => redis?.disconnect());
  const menu = openMenuCache(settings, sql, log, redis);
  stack.defer(menu.close);

  // Started last, since no request needs it; stopped after the last response.
  let worker: Worker | undefined;
  stack.defer(() => worker?.stop());

  const app = await buildApp({ settings, sql, checkout, menu, redis, log });
  stack.defer(() => app.close());
  await app.listen({ host: settings.host, port: settings.port });

  if (settings.worker === "inline") {
    const { startWorker } = await import("./jobs.ts");
    worker = await startWorker(settings, sql, log);
  }

  const { port } = app.server.address() as AddressInfo;
  if (sandbox) console.log(sandbox.banner(`http://localhost:${port}`, settings.apiPrefix));
  return "keep-running";
});
