import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireManager } from "../auth/guards.ts";
import { averageSecondsInStatus } from "../events/queries.ts";
import { invalidField } from "../http/errors.ts";
import { earliestTime } from "../http/validation.ts";
import { listHourlySales } from "../orders/queries.ts";
import { Sales } from "../orders/schemas.ts";
import { sumRefundsOfOrders } from "../refunds/queries.ts";

const hourMs = 3_600_000;
/** The longest span: a month, an answer of 31 × 24 hours. */
const maxSpanMs = 31 * 24 * hourMs;

export const salesRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    "/admin/sales",
    {
      onRequest: requireManager,
      schema: {
        operationId: "readSales",
        tags: ["orders"],
        summary: "What was sold in a span of time, hour by hour, and how long orders took",
        description: "At most 31 days; without `from` and `to` the last 24 hours. Hours count from `from`.",
        querystring: Type.Object({
          from: Type.Optional(Type.String({ format: "date-time", description: "Placed at or after" })),
          to: Type.Optional(Type.String({ format: "date-time", description: "Placed before" })),
        }),
        response: { 200: Sales },
      },
    },
    async ({ query }) => {
      const to = query.to ? Date.parse(query.to) : Date.now();
      const from = query.from ? Date.parse(query.from) : Math.max(earliestTime, to - 24 * hourMs);
      if (from >= to) throw invalidField("/from", "must be before `to`");
      if (to - from > maxSpanMs) throw invalidField("/from", "must be at most 31 days before `to`");
      const span = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
      const [hours, refunded_cents, average_seconds] = await Promise.all([
        listHourlySales(app.sql, span),
        sumRefundsOfOrders(app.sql, span),
        averageSecondsInStatus(app.sql, span),
      ]);
      const sum = (key: "orders" | "canceled" | "revenue_cents") =>
        hours.reduce((total, hour) => total + hour[key], 0);
      return {
        ...span,
        orders: sum("orders"),
        canceled: sum("canceled"),
        revenue_cents: sum("revenue_cents"),
        refunded_cents,
        average_seconds,
        hours,
      };
    },
  );
};
