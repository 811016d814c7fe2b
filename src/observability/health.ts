// Whether this instance lives, and whether it can serve.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { Redis } from "ioredis";
import { mailWorks } from "../auth/mail.ts";
import { pendingMigrations } from "../db/migrate.ts";
import { isDraining } from "../http/graceful-shutdown.ts";
import { bypassLoadShedding, isStalled } from "../http/load-shedding.ts";
import { StringEnum } from "../http/schemas.ts";
import { knock } from "./can-connect.ts";

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

/** A check that takes longer than this has failed. */
const patienceMs = 2_000;

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
        summary: "Ready: the database answers and has every migration",
        description: "degraded, and still 200: mail can't be sent, or Redis or Kafka doesn't answer.",
        response: { 200: Health, 503: Health },
      },
    },
    async (_request, reply) => {
      const unfit = isDraining(app.server) ? "listening" : isStalled(app.server) && "event_loop";
      if (unfit) {
        reply.header("cache-control", "no-store").code(503);
        return { status: "unavailable" as const, checks: { [unfit]: "failing" as const } };
      }
      const [pending, kafka] = await Promise.all([
        Promise.race([
          pendingMigrations(app.sql).catch((error) => (error.code === "42P01" ? ["all"] : null)),
          new Promise<null>((resolve) => setTimeout(resolve, patienceMs, null).unref()),
        ]),
        answeringBroker(app.settings.kafkaBrokers),
      ]);
      const checks = {
        database: pending ? "ok" : "failing",
        migrations: pending?.length === 0 ? "ok" : "failing",
        mail: mailWorks(app.settings) ? "ok" : "failing",
        ...(redis && { redis: redis.status === "ready" ? ("ok" as const) : ("failing" as const) }),
        ...(kafka !== undefined && { kafka: kafka ? ("ok" as const) : ("failing" as const) }),
      } as const;
      const ready = checks.migrations === "ok";
      reply.header("cache-control", "no-store").code(ready ? 200 : 503);
      if (!ready) return { status: "unavailable" as const, checks };
      // Without mail nobody new comes in; without Redis each instance goes on by itself; for Kafka the events wait.
      const whole = Object.values(checks).every((check) => check === "ok");
      return { status: whole ? ("ok" as const) : ("degraded" as const), checks };
    },
  );

  app.get(
    "/health/live",
    {
      config: bypassLoadShedding,
      schema: {
        operationId: "readLiveness",
        tags: ["operations"],
        summary: "Live: the process answers",
        response: { 200: Health },
      },
    },
    async (_request, reply) => {
      reply.header("cache-control", "no-store");
      return { status: "ok" as const, checks: { process: "ok" as const } };
    },
  );
};

/** Whether one of the brokers takes connections; undefined if there are none. */
async function answeringBroker(brokers: string[]): Promise<boolean | undefined> {
  if (brokers.length === 0) return undefined;
  const errors = await Promise.all(
    brokers.map((broker) => {
      const colon = broker.lastIndexOf(":");
      return knock(broker.slice(0, colon), Number(broker.slice(colon + 1)));
    }),
  );
  return errors.some((error) => error === undefined);
}
