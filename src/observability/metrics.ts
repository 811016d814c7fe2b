// What Prometheus reads at /metrics. Each feature counts what it does at the place where it does it; what the database
// knows is asked of it when somebody looks.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { Redis } from "ioredis";
import { Counter, collectDefaultMetrics, Gauge, register } from "prom-client";
import type { Pool } from "../db/pool.ts";
import { bypassLoadShedding } from "../http/load-shedding.ts";
import type { OrderFeed } from "../order-feed/feed.ts";

collectDefaultMetrics();
// Gauges by a counter's name; the same figures by kind stay.
for (const what of ["handles", "requests", "resources"])
  register.removeSingleMetric(`nodejs_active_${what}_total`);

export const notifications = new Counter({
  name: "notifications_total",
  help: "Tries to tell the notification provider, by outcome",
  labelNames: ["outcome"],
});
export const refunds = new Counter({
  name: "refunds_total",
  help: "Tries to give money back, by outcome",
  labelNames: ["outcome"],
});

// Known from the start, so that a rate over the first one is right.
for (const outcome of ["sent", "failed"]) notifications.inc({ outcome }, 0);
for (const outcome of ["succeeded", "failed", "again", "due"]) refunds.inc({ outcome }, 0);

// Set when somebody looks.
const gauge = <T extends string>(name: string, help: string, labelNames: T[] = []) =>
  new Gauge({ name, help, labelNames });
const redisUp = gauge("redis_up", "1 if Redis answers; missing without REDIS_URL");
const poolConnections = gauge("db_pool_connections", "Connections to PostgreSQL, of all instances", [
  "pool",
  "state",
]);
const refundsDue = gauge("refunds_due", "Refunds that a human has to make");
const outOfBalance = gauge(
  "payments_out_of_balance",
  "Charges without an order, and orders of the last day without a charge",
);
const unpublished = gauge("events_unpublished", "Events that have no seq yet");
const sinkLag = gauge("event_sink_lag", "Events that a sink has not got yet", ["sink"]);
const sseStreams = gauge("sse_streams", "Streams that are open", ["kind"]);
const activeUsers = gauge("active_users", "Users who signed in, refreshed or ordered in the last hour");

/** How long the database is waited for; without its figures the others are still told. */
const patienceMs = 1_000;

/** Open on the instance itself; nginx passes it to nobody. */
export const metricsRoute: FastifyPluginAsyncTypebox<{
  redis: Redis | undefined;
  feed: OrderFeed;
}> = async (app, { redis, feed }) => {
  app.get(
    "/metrics",
    {
      config: bypassLoadShedding,
      schema: {
        operationId: "readMetrics",
        tags: ["operations"],
        summary: "For Prometheus",
        produces: ["text/plain"],
        response: { 200: Type.String() },
      },
    },
    async (_request, reply) => {
      for (const [kind, count] of Object.entries(feed.count())) sseStreams.set({ kind }, count);
      // It begins as 0, which would be one that is down.
      if (redis) redisUp.set(redis.status === "ready" ? 1 : 0);
      else redisUp.remove();
      await Promise.race([
        setDatabaseFigures(app.sql).catch((error) =>
          app.log.warn({ err: error }, "no figures from the database"),
        ),
        new Promise((resolve) => setTimeout(resolve, patienceMs).unref()),
      ]);
      reply.header("cache-control", "no-store").type(register.contentType);
      return register.metrics();
    },
  );
};

async function setDatabaseFigures(sql: Pool) {
  const [figures, connections, sinks] = await Promise.all([
    findFigures(sql),
    listConnections(sql),
    listSinkLags(sql),
  ]);
  for (const { sink, lag } of sinks) sinkLag.set({ sink }, lag);
  refundsDue.set(figures.refunds_due);
  outOfBalance.set(figures.out_of_balance);
  unpublished.set(figures.events_unpublished);
  activeUsers.set(figures.active_users);
  poolConnections.reset();
  for (const { pool, state, count } of connections) poolConnections.set({ pool, state }, count);
}

/** Orders without a charge are looked for among those of a day: to look at all of them takes seconds in a large shop. */
async function findFigures(sql: Pool) {
  const [figures] = await sql<
    [{ refunds_due: number; out_of_balance: number; events_unpublished: number; active_users: number }]
  >`
    select
      (select count(*)::int from refunds where status = 'due') as refunds_due,
      (
        select count(*)::int from payments_out_of_balance
        where problem = 'charge_without_order'
          or (problem = 'order_without_charge' and since > now() - interval '1 day')
      ) as out_of_balance,
      (select count(*)::int from events where seq is null) as events_unpublished,
      (
        select count(distinct user_id)::int from (
          select user_id from sessions where last_used_at > now() - interval '1 hour'
          union all
          select customer_id from orders where created_at > now() - interval '1 hour'
        ) active
      ) as active_users`;
  return figures;
}

const listSinkLags = (sql: Pool) => sql<{ sink: string; lag: number }[]>`
  select name as sink, (last_seq - position)::float8 as lag from event_sinks, event_relay`;

const listConnections = (sql: Pool) => sql<{ pool: string; state: string; count: number }[]>`
  select substr(application_name, 11) as pool, replace(coalesce(state, 'starting'), ' ', '_') as state,
    count(*)::int as count
  from pg_stat_activity
  where datname = current_database() and application_name like 'ristretto %'
  group by 1, 2`;
