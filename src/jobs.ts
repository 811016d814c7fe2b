// Each group of tasks has its own runner: jobs that wait for a slow provider take no slots from the others.
import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { Logger as JobLogger, run, type TaskList, type WorkerEvents } from "graphile-worker";
import pg from "pg";
import type { Logger } from "pino";
import { cleanUp } from "./auth/clean-up.ts";
import { openMailer } from "./auth/mail.ts";
import { openImageStore } from "./catalog/images.ts";
import type { CompleteSettings } from "./config.ts";
import type { Pool } from "./db/pool.ts";
import { sinkNames, startOutboxPublisher } from "./events/outbox-publisher.ts";
import { deleteOldEvents } from "./events/queries.ts";
import { openNotifier } from "./notifications/send.ts";
import { selectOrdersOfUser } from "./orders/queries.ts";
import { selectPaymentsOfUser } from "./payments/queries.ts";
import { requeueLostRefunds } from "./refunds/queries.ts";
import { startReconciler } from "./refunds/reconciler.ts";
import { openRefundSender } from "./refunds/send.ts";

declare global {
  namespace GraphileWorker {
    interface Tasks {
      send_notification: { notification_id: string };
      send_refund: { refund_id: string };
      send_code: { code_id: string };
      /** Added by the trigger on products when a product no longer shows the image. */
      remove_stored_image: { name: string };
    }
  }
}

const crontab = `
# minute, hour, day, month, weekday; task
* * * * * unlock_stale_jobs
* * * * * requeue_lost_refunds
*/5 * * * * clean_up
17 * * * * delete_old_events
`;

/** One statement deletes these in a fraction of a second. */
const eventsAtOnce = 1_000;

export interface Worker {
  /** Lets running jobs finish; the others stay in the queue. */
  stop: () => Promise<void>;
}

export async function startWorker(settings: CompleteSettings, sql: Pool, log: Logger): Promise<Worker> {
  const { notificationServiceUrl, notificationTimeoutMs, paymentRefundUrl, paymentTimeoutMs } = settings;
  const notifier = openNotifier(sql, notificationServiceUrl, notificationTimeoutMs, log);
  const refunds = openRefundSender(sql, paymentRefundUrl, log);
  const mailer = await openMailer(settings, sql, log);
  const images = await openImageStore(settings);

  const workerId = randomUUID();
  const pool = openJobPool(settings.databaseUrl, workerId, log);
  const start = (options: RunnerOptions) => startRunner(pool, workerId, log, options);
  const runners = await Promise.all([
    start({
      concurrency: 10,
      taskList: { send_notification: ({ notification_id }) => notifier.send(notification_id) },
    }),
    start({
      concurrency: 10,
      taskList: {
        send_refund: ({ refund_id }, { job }) => refunds.send(refund_id, job.attempts >= job.max_attempts),
      },
    }),
    start({ concurrency: 5, taskList: { send_code: ({ code_id }) => mailer.sendCode(code_id) } }),
    start({
      concurrency: 2,
      taskList: {
        remove_stored_image: ({ name }) => images?.remove(name),
        unlock_stale_jobs: () => unlockStaleJobs(sql),
        requeue_lost_refunds: () => requeueLostRefunds(sql),
        clean_up: () => cleanUp(sql, [selectOrdersOfUser, selectPaymentsOfUser]),
        delete_old_events: async () => {
          for (let deleted = eventsAtOnce; deleted === eventsAtOnce; )
            deleted = await deleteOldEvents(sql, sinkNames(settings), eventsAtOnce);
        },
      },
      crontab,
    }),
  ]);
  await runners[0].addJob("clean_up", {}, { jobKey: "clean_up" });
  const reconciler = startReconciler(sql, paymentTimeoutMs, log);
  const publisher = startOutboxPublisher(sql, settings, log);
  return {
    stop: async () => {
      await Promise.all([...runners.map((runner) => runner.stop()), reconciler.stop(), publisher.stop()]);
      await Promise.all([pool.end(), notifier.close(), refunds.close()]);
      images?.close();
      mailer.close();
    },
  };
}

/** Each runner listens on one of its connections. */
function openJobPool(connectionString: string, workerId: string, log: Logger) {
  const pool = new pg.Pool({
    connectionString,
    max: 12,
    application_name: connectionName(workerId),
    // Within a minute PostgreSQL ends the sessions of a host that vanished, and its jobs are stale.
    options: "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
  });
  const warn = (err: Error) => log.warn({ err }, "the job queue lost a connection");
  pool.on("error", warn);
  pool.on("connect", (client) => client.on("error", warn));
  return pool;
}

interface RunnerOptions {
  concurrency: number;
  taskList: TaskList;
  crontab?: string;
}

function startRunner(pgPool: pg.Pool, workerId: string, log: Logger, options: RunnerOptions) {
  const events: WorkerEvents = new EventEmitter();
  // Jobs are locked by this id. Set here because graphile-worker has no option for it.
  events.on("pool:create", ({ workerPool }) => {
    workerPool.id = workerId;
  });
  events.on("job:failed", ({ job, error }) =>
    log.error(
      { err: error, job: job.task_identifier, attempts: job.attempts },
      "job failed for the last time",
    ),
  );
  const logger = new JobLogger(() => (level, message, meta) => {
    if (level === "error" || level === "warning") log.warn({ meta: String(meta?.error ?? "") }, message);
    else log.debug(message);
  });
  return run({ pgPool, events, logger, noHandleSignals: true, crontab: "", ...options });
}

const connectionName = (workerId: string) => `ristretto jobs ${workerId}`;

/** No connection has a dead worker's name. The 30 seconds cover a call to a provider after a cut connection. */
async function unlockStaleJobs(sql: Pool) {
  await sql`
    select graphile_worker.force_unlock_workers(array_agg(distinct locked_by))
    from graphile_worker.jobs
    where locked_at < now() - interval '30 seconds' and not exists (
      select from pg_stat_activity
      where datname = current_database() and application_name = ${connectionName("")} || locked_by
    )`;
}
