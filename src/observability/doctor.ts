// `npm run doctor`: reports which settings work, and what needs attention.
import type { Settings } from "../config.ts";
import { pendingMigrations } from "../db/migrate.ts";
import { openPool, type Pool } from "../db/pool.ts";
import { canConnect } from "./can-connect.ts";

export interface Diagnostic {
  about: string;
  state: "ok" | "unset" | "PROBLEM";
  detail: string;
}

export interface Backlog {
  about: string;
  count: number;
  cents: number | null;
}

/** Never throws, and changes nothing. */
export async function runDiagnostics(
  settings: Settings & { databaseUrl: string },
  backlogs: ((sql: Pool) => PromiseLike<Backlog[]>)[],
): Promise<Diagnostic[]> {
  const sql = openPool(settings.databaseUrl, { name: "doctor", max: 1 });
  try {
    return [
      await checkDatabase(sql),
      await checkUrl("payments", settings.paymentServiceUrl),
      await checkUrl("refunds", settings.paymentRefundUrl, "without it a person makes each refund"),
      await checkUrl("notifications", settings.notificationServiceUrl),
      await checkUrl("mail", settings.smtpUrl, "without it production has no signup and no password reset"),
      ...(settings.s3Bucket
        ? [await checkUrl("S3", settings.s3Endpoint ?? `https://s3.${settings.s3Region}.amazonaws.com`)]
        : []),
      ...(await Promise.all(settings.kafkaBrokers.map((broker) => checkUrl("Kafka", `kafka://${broker}`)))),
      await checkUrl("Redis", settings.redisUrl, "without it each instance counts limits on its own"),
      ...(await checkBacklogs(sql, [...backlogs, countFailedJobs])),
    ];
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function checkDatabase(sql: Pool): Promise<Diagnostic> {
  try {
    const [{ version }] = await sql<
      [{ version: string }]
    >`select current_setting('server_version') as version`;
    const pending = await pendingMigrations(sql).catch(() => ["all of them"]);
    return pending.length === 0
      ? { about: "PostgreSQL", state: "ok", detail: `${version}, the schema is up to date` }
      : { about: "PostgreSQL", state: "PROBLEM", detail: `migrations are missing: ${pending.join(", ")}` };
  } catch (error) {
    return { about: "PostgreSQL", state: "PROBLEM", detail: (error as Error).message };
  }
}

const ports: Record<string, number> = {
  "http:": 80,
  "https:": 443,
  // The port for submission, which the mailer uses too; 25 is for relays.
  "smtp:": 587,
  "smtps:": 465,
  "redis:": 6379,
  "rediss:": 6379,
};

async function checkUrl(about: string, url: string | undefined, unset = ""): Promise<Diagnostic> {
  if (!url) return { about, state: "unset", detail: unset };
  const { protocol, hostname, port, host } = new URL(url);
  const error = await canConnect(hostname, Number(port) || ports[protocol]!);
  return error
    ? { about, state: "PROBLEM", detail: `${host}: ${error.message}` }
    : { about, state: "ok", detail: host };
}

// Notifications and refunds report their failures themselves. One that was retried while it ran leaves a failed job.
const countFailedJobs = (sql: Pool) => sql<Backlog[]>`
  select 'jobs that failed for good' as about, count(*)::int as count, null as cents
  from graphile_worker.jobs
  where attempts >= max_attempts and locked_at is null
    and task_identifier not in ('send_notification', 'send_refund')`;

async function checkBacklogs(
  sql: Pool,
  backlogs: ((sql: Pool) => PromiseLike<Backlog[]>)[],
): Promise<Diagnostic[]> {
  try {
    const rows = (await Promise.all(backlogs.map((count) => count(sql)))).flat();
    const problems = rows.filter(({ count }) => count > 0).map(describe);
    return problems.length > 0
      ? problems
      : [{ about: "ledgers", state: "ok", detail: "nothing is out of balance" }];
  } catch {
    return [{ about: "ledgers", state: "PROBLEM", detail: "they can't be read" }];
  }
}

const describe = ({ about, count, cents }: Backlog): Diagnostic => ({
  about,
  state: "PROBLEM",
  detail: cents === null ? `${count}` : `${count}, ${cents} cents in total`,
});
