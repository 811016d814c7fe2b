// `npm run doctor`: what is configured, what of it can be reached, and what is out of balance.
import type { Settings } from "../config.ts";
import { pendingMigrations } from "../db/migrate.ts";
import { openPool, type Pool } from "../db/pool.ts";
import { knock } from "./can-connect.ts";

/** One line of the report. */
export interface Finding {
  about: string;
  state: "ok" | "unset" | "PROBLEM";
  detail: string;
}

/** Looks at everything that the settings name; never throws, and changes nothing. */
export async function examine(settings: Settings & { databaseUrl: string }): Promise<Finding[]> {
  const sql = openPool(settings.databaseUrl, { name: "doctor", max: 1 });
  try {
    return [
      await database(sql),
      await reachable("payments", settings.paymentServiceUrl),
      await reachable("refunds", settings.paymentRefundUrl, "without it refunds are left to a human"),
      await reachable("notifications", settings.notificationServiceUrl),
      await reachable(
        "mail",
        settings.smtpUrl,
        "without it nobody signs up or resets a password in production",
      ),
      ...(settings.s3Bucket
        ? [await reachable("S3", settings.s3Endpoint ?? `https://s3.${settings.s3Region}.amazonaws.com`)]
        : []),
      ...(await Promise.all(settings.kafkaBrokers.map((broker) => reachable("Kafka", `kafka://${broker}`)))),
      await reachable("Redis", settings.redisUrl, "without it each instance counts limits by itself"),
      ...(await ledgers(sql)),
    ];
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function database(sql: Pool): Promise<Finding> {
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
  // Of mail that is handed in, where the mailer knocks too; 25 is of servers among each other.
  "smtp:": 587,
  "smtps:": 465,
  "redis:": 6379,
  "rediss:": 6379,
};

/** Whether somebody takes a connection there. */
async function reachable(about: string, url: string | undefined, without = ""): Promise<Finding> {
  if (!url) return { about, state: "unset", detail: without };
  const { protocol, hostname, port, host } = new URL(url);
  const error = await knock(hostname, Number(port) || ports[protocol]!);
  return error
    ? { about, state: "PROBLEM", detail: `${host}: ${error.message}` }
    : { about, state: "ok", detail: host };
}

async function ledgers(sql: Pool): Promise<Finding[]> {
  try {
    const rows = await sql<{ about: string; count: number; cents: number | null }[]>`
      select problem as about, count(*)::int as count, sum(amount_cents)::float8 as cents
      from payments_out_of_balance
      group by problem
      union all
      select 'failed notifications', count(*)::int, null from notifications where status = 'failed'
      union all
      select 'jobs given up', count(*)::int, null from graphile_worker.jobs where attempts >= max_attempts
      union all
      select 'events without a seq for over a minute', count(*)::int, null
      from events where seq is null and created_at < now() - interval '1 minute'`;
    const found = rows
      .filter(({ count }) => count > 0)
      .map(({ about, count, cents }): Finding => {
        const detail = cents === null ? `${count}` : `${count}, ${cents} cents together`;
        return { about: about.replaceAll("_", " "), state: "PROBLEM", detail };
      });
    return found.length > 0
      ? found
      : [{ about: "ledgers", state: "ok", detail: "nothing is out of balance" }];
  } catch {
    return [{ about: "ledgers", state: "PROBLEM", detail: "can't be read" }];
  }
}
