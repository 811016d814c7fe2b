import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { Redis } from "ioredis";
import { canSendMail } from "../config.ts";
import { pendingMigrations } from "../db/migrate.ts";
import { isDraining } from "../http/graceful-shutdown.ts";
import { bypassLoadShedding, isStalled } from "../http/load-shedding.ts";
import { StringEnum } from "../http/schemas.ts";
import { canConnect } from "./can-connect.ts";

const Health = Type.Object(
  {
    status: StringEnum(["ok", "degraded", "unavailable"], { title: "HealthStatus" }),
    checks: Type.Object(
      {},
      { additionalProperties: StringEnum(["ok", "failing"], { title: "CheckStatus" }) },
    ),
  },
  { title: "Health", examples: [{ status: "ok", checks: { database: "ok", migrations: "ok", mail: "ok" } }] },
);

const checkTimeoutMs = 2_000;

export const healthRoutes: FastifyPluginAsyncTypebox<{ redis: Redis | undefined }> = async (
  app,
  { redis },
) => {
  app.get(
    "/health",
    {
      config: bypassLoadShedding,
      schema: {
        operationId: "readHealth",
        tags: ["operations"],
        summary: "Check readiness: the database responds and has every migration",
        description: "`degraded`, still 200: mail can't be sent, or Redis or Kafka doesn't respond.",
        response: { 200: Health, 503: Health },
      },
    },
    async (_request, reply) => {
      const failing = isDraining(app.server) ? "listening" : isStalled(app.server) && "event_loop";
      if (failing) {
        reply.header("cache-control", "no-store").code(503);
        return { status: "unavailable" as const, checks: { [failing]: "failing" as const } };
      }
      const [pending, kafka] = await Promise.all([
        Promise.race([
          pendingMigrations(app.sql).catch((error) => (error.code === "42P01" ? ["all"] : null)),
          new Promise<null>((resolve) => setTimeout(resolve, checkTimeoutMs, null).unref()),
        ]),
        isKafkaUp(app.settings.kafkaBrokers),
      ]);
      const checks = {
        database: pending ? "ok" : "failing",
        migrations: pending?.length === 0 ? "ok" : "failing",
        mail: canSendMail(app.settings) ? "ok" : "failing",
        ...(redis && { redis: redis.status === "ready" ? ("ok" as const) : ("failing" as const) }),
        ...(kafka !== undefined && { kafka: kafka ? ("ok" as const) : ("failing" as const) }),
      } as const;
      const ready = checks.migrations === "ok";
      reply.header("cache-control", "no-store").code(ready ? 200 : 503);
      if (!ready) return { status: "unavailable" as const, checks };
      // The service goes on without these: users wait for mail, instances count alone, events wait for Kafka.
      const allOk = Object.values(checks).every((check) => check === "ok");
      return { status: allOk ? ("ok" as const) : ("degraded" as const), checks };
    },
  );

  app.get(
    "/health/live",
    {
      config: bypassLoadShedding,
      schema: {
        operationId: "readLiveness",
        tags: ["operations"],
        summary: "Check liveness: the process responds",
        response: { 200: Health },
      },
    },
    async (_request, reply) => {
      reply.header("cache-control", "no-store");
      return { status: "ok" as const, checks: { process: "ok" as const } };
    },
  );
};

async function isKafkaUp(brokers: string[]): Promise<boolean | undefined> {
  if (brokers.length === 0) return undefined;
  const errors = await Promise.all(
    brokers.map((broker) => {
      const colon = broker.lastIndexOf(":");
      return canConnect(broker.slice(0, colon), Number(broker.slice(colon + 1)));
    }),
  );
  return errors.some((error) => error === undefined);
}
