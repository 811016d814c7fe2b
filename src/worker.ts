// `npm run worker`: runs only the background jobs, beside instances that run with WORKER=off.
import { assertComplete } from "./config.ts";
import { openPool } from "./db/pool.ts";
import { startWorker } from "./jobs.ts";
import { runProcess } from "./lifecycle.ts";
import { serveWorkerMetrics } from "./observability/worker-metrics.ts";

await runProcess(async ({ settings: given, log, stack }) => {
  const settings = given.production
    ? assertComplete(given)
    : await (await import("./dev/defaults.ts")).applyWorkerDefaults(given, stack);
  if (settings.metricsPort > 0) stack.defer(await serveWorkerMetrics(settings.host, settings.metricsPort));
  const sql = openPool(settings.databaseUrl, { name: "worker", max: settings.databasePoolMax });
  stack.defer(() => sql.end({ timeout: 5 }));
  const worker = await startWorker(settings, sql, log);
  stack.defer(worker.stop);
  log.info("worker started");
  return "keep-running";
});
