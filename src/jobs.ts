// What runs in the background: the map of the worker.
import { Logger as JobLogger, type Runner, run } from "graphile-worker";
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
import { startSettling } from "./refunds/reconciler.ts";

// Jobs mostly wait for a provider that takes seconds, and hold no connection while they do.
const concurrency = 10;

/** Old events that one statement deletes: a fraction of a second. */
const eventsAtOnce = 1_000;

const crontab = `
# minute, hour, day, month, weekday; job
* * * * * free_jobs_of_the_dead
*/5 * * * * clean_up
17 * * * * delete_old_events
`;

export interface Worker {
  /** Lets running jobs finish; the others stay in the queue. */
  stop: () => Promise<void>;
}

/** Takes jobs from the queue, settles charges and relays events until it is stopped. */
export async function startWorker(settings: CompleteSettings, sql: Pool, log: Logger): Promise<Worker> {
  const { databaseUrl, notificationServiceUrl, notificationTimeoutMs } = settings;
  const notifier = openNotifier(sql, notificationServiceUrl, notificationTimeoutMs, log);
  const images = await openImageStore(settings);
  const mailer = await openMailer(settings, sql, log);
  const runner: Runner = await run({
    connectionString: databaseUrl,
    concurrency,
    noHandleSignals: true,
    // LISTEN wakes it at once; this is for jobs whose time has come and for a lost notice.
    pollInterval: 1_000,
    logger: jobLogger(log),
    crontab,
    taskList: {
      send_notification: (payload) => notifier.send((payload as { notification_id: string }).notification_id),
      // A picture that a product showed, by the trigger on products.
      remove_stored_image: (payload) => images?.remove((payload as { name: string }).name),
      send_code: (payload) => mailer.sendCode((payload as { code_id: string }).code_id),
      clean_up: () => cleanUp(sql, [selectOrdersOfUser, selectPaymentsOfUser]),
      free_jobs_of_the_dead: () => freeJobsOfTheDead(sql),
      delete_old_events: async () => {
        for (let deleted = eventsAtOnce; deleted === eventsAtOnce; )
          deleted = await deleteOldEvents(sql, sinkNames(settings), eventsAtOnce);
      },
    },
  });
  runner.events.on("job:failed", ({ job, error }) =>
    log.error({ err: error, job: job.task_identifier, attempts: job.attempts }, "job given up"),
  );
  await runner.addJob("clean_up", {}, { jobKey: "clean_up" });
  const settling = startSettling(sql, settings, log);
  const publisher = startOutboxPublisher(sql, settings, log);
  return {
    stop: async () => {
      await Promise.all([runner.stop(), settling.stop(), publisher.stop()]);
      await notifier.close();
      images?.close();
      mailer.close();
    },
  };
}

/**
 * Gives jobs whose worker was killed back to the queue, which by itself would wait for hours. A job that was taken two
 * minutes ago has nobody: one that calls somebody waits for at most a minute, and the others may run twice at once.
 */
async function freeJobsOfTheDead(sql: Pool) {
  await sql`
    select graphile_worker.force_unlock_workers(array_agg(distinct locked_by))
    from graphile_worker.jobs
    where locked_at < now() - interval '2 minutes'`;
}

/** The queue's own words, in our log. */
const jobLogger = (log: Logger) =>
  new JobLogger(() => (level, message, meta) => {
    if (level === "error" || level === "warning") log.warn({ meta: String(meta?.error ?? "") }, message);
    else log.debug(message);
  });
