// Every background job by its name: the map of what the worker does.
import { Logger as JobLogger, type Runner, run } from "graphile-worker";
import type { Logger } from "pino";
import type { Settings } from "./config.ts";
import type { Pool } from "./db.ts";
import { openNotifier } from "./notifications/send.ts";

// Jobs mostly wait for a provider that takes seconds, and hold no connection while they do.
const concurrency = 10;

export interface Worker {
  /** Lets running jobs finish; the others stay in the queue. */
  stop: () => Promise<void>;
}

/** Takes jobs from the queue and runs them until it is stopped. */
export async function startWorker(
  { databaseUrl, notificationServiceUrl, notificationTimeoutMs }: WorkerSettings,
  sql: Pool,
  log: Logger,
): Promise<Worker> {
  const notifier = openNotifier(sql, notificationServiceUrl, notificationTimeoutMs, log);
  const runner: Runner = await run({
    connectionString: databaseUrl,
    concurrency,
    noHandleSignals: true,
    // LISTEN wakes it at once; this is for jobs whose time has come and for a lost notice.
    pollInterval: 1_000,
    logger: jobLogger(log),
    taskList: {
      send_notification: (payload) => notifier.send((payload as { notification_id: string }).notification_id),
    },
  });
  runner.events.on("job:failed", ({ job, error }) =>
    log.error({ err: error, job: job.task_identifier, attempts: job.attempts }, "job given up"),
  );
  return {
    stop: async () => {
      await runner.stop();
      await notifier.close();
    },
  };
}

export type WorkerSettings = { databaseUrl: string; notificationServiceUrl: string } & Pick<
  Settings,
  "notificationTimeoutMs"
>;

/** The queue's own words, in our log. */
export const jobLogger = (log: Logger) =>
  new JobLogger(() => (level, message, meta) => {
    if (level === "error" || level === "warning") log.warn({ meta: String(meta?.error ?? "") }, message);
    else log.debug(message);
  });
