// Serves the metrics to Prometheus. Each metric is declared where it is counted; gauges are read at each scrape.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { Redis } from "ioredis";
import { collectDefaultMetrics, Gauge, register } from "prom-client";
import type { Pool } from "../db/pool.ts";
import { bypassLoadShedding } from "../http/load-shedding.ts";

collectDefaultMetrics();
// Gauges with the name of a counter; the same figures by type stay.
for (const what of ["handles", "requests", "resources"])
  register.removeSingleMetric(`nodejs_active_${what}_total`);

const redisUp = new Gauge({ name: "redis_up", help: "1 if Redis answers; absent without REDIS_URL" });
const poolConnections = new Gauge({
  name: "db_pool_connections",
  help: "Connections to PostgreSQL, of all instances",
  labelNames: ["pool", "state"],
});

export type Collector = (sql: Pool) => Promise<void>;

/** Without an answer from the database within this time, its gauges keep their last value. */
const collectTimeoutMs = 1_000;

/** nginx does not pass it on. */
export const metricsRoute: FastifyPluginAsyncTypebox<{
  redis: Redis | undefined;
  collectors: Collector[];
}> = async (app, { redis, collectors }) => {
  async function collectFromDatabase() {
    const collected = [collectPoolConnections, ...collectors].map((collect) =>
      collect(app.sql).catch((error) => app.log.warn({ err: error }, "reading gauges failed")),
    );
    const timeout = new Promise((resolve) => setTimeout(resolve, collectTimeoutMs).unref());
    await Promise.race([Promise.all(collected), timeout]);
  }

  app.get(
    "/metrics",
    {
      config: bypassLoadShedding,
      schema: {
        operationId: "readMetrics",
        tags: ["operations"],
        summary: "Metrics in Prometheus' format",
        produces: ["text/plain"],
        response: { 200: Type.String() },
      },
    },
    async (_request, reply) => {
      // A gauge begins as 0, which would mean a failing Redis.
      if (redis) redisUp.set(redis.status === "ready" ? 1 : 0);
      else redisUp.remove();
      await collectFromDatabase();
      reply.header("cache-control", "no-store").type(register.contentType);
      return register.metrics();
    },
  );
};

async function collectPoolConnections(sql: Pool) {
  const connections = await listConnections(sql);
  poolConnections.reset();
  for (const { pool, state, count } of connections) poolConnections.set({ pool, state }, count);
}

const listConnections = (sql: Pool) => sql<{ pool: string; state: string; count: number }[]>`
  select split_part(application_name, ' ', 2) as pool, replace(coalesce(state, 'starting'), ' ', '_') as state,
    count(*)::int as count
  from pg_stat_activity
  where datname = current_database() and application_name like 'ristretto %'
  group by 1, 2`;
