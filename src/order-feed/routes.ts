// Orders live, as server-sent events: what there is, then each change. Who comes back says what he has seen.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { TSchema } from "@sinclair/typebox";
import type { FastifyReply, FastifyRequest } from "fastify";
import { isStaff, requireManager, requireStaff, requireUser } from "../auth/guards.ts";
import { listEvents } from "../events/queries.ts";
import { Board, Event, OrderEvent } from "../events/schemas.ts";
import { notFound } from "../http/errors.ts";
import { Page, pageQuery, readPage, toPage } from "../http/pagination.ts";
import { Id } from "../http/schemas.ts";
import { findOrder, listOpenOrders } from "../orders/queries.ts";
import { Order } from "../orders/schemas.ts";
import { findRole } from "../users/queries.ts";
import type { Follow, Live } from "./feed.ts";

const tags = ["orders"];

const headers = Type.Object({
  "last-event-id": Type.Optional(
    Type.String({
      description: "The id of the last event seen; what was missed comes instead of the snapshot",
    }),
  ),
});

const about =
  "`id` is the event's seq, `data` the event (schema `OrderEvent`). A comment comes every 15 seconds; the stream ends " +
  "when the token expires, for staff also within 20 seconds of losing the role, and it is cut when it isn't read: come " +
  "back with the last id in Last-Event-ID.";

/** Of a stream that begins with this. */
const responseOf = (snapshot: TSchema) => ({
  200: {
    description: "Events until the stream ends",
    // The nearest that OpenAPI 3.1 has: text, in which this is written as JSON.
    content: {
      "text/event-stream": {
        schema: Type.String({
          contentMediaType: "application/json",
          contentSchema: Type.Union([snapshot, OrderEvent]),
        }),
      },
    },
  },
});

export const eventRoutes: FastifyPluginAsyncTypebox<{ live: Live }> = async (app, { live }) => {
  // Before the server waits for its connections to end, which streams would not.
  app.addHook("preClose", live.close);

  app.get(
    "/orders/:order_id/events",
    {
      onRequest: requireUser,
      exposeHeadRoute: false,
      config: { errorCodes: ["not_found"] },
      schema: {
        operationId: "followOrder",
        tags,
        summary: "An order, live, for its owner and for staff",
        description: `First \`event: snapshot\` with the order, then each change. It ends when the order is finished. ${about}`,
        params: Type.Object({ order_id: Id }),
        headers,
        response: responseOf(Order),
      },
    },
    async (request, reply) => {
      const order = await findOrder(app.sql, request.params.order_id);
      const mine = order?.customer_id === request.user.id;
      if (!order || !(mine || (await isStaff(request)))) throw notFound("Order");
      return stream(request, reply, {
        orderId: order.id,
        ...(!mine && { mayFollow: () => isStillStaff(request) }),
        snapshot: (tx) => findOrder(tx, order.id),
      });
    },
  );

  app.get(
    "/admin/orders/events",
    {
      onRequest: requireStaff,
      exposeHeadRoute: false,
      schema: {
        operationId: "followOrders",
        tags,
        summary: "The board: all orders, live",
        description: `First \`event: snapshot\` with \`{ orders }\`, those not finished, oldest first; then each change. ${about}`,
        headers,
        response: responseOf(Board),
      },
    },
    async (request, reply) =>
      stream(request, reply, {
        orderId: undefined,
        mayFollow: () => isStillStaff(request),
        snapshot: async (tx) => ({ orders: await listOpenOrders(tx) }),
      }),
  );

  app.get(
    "/admin/events",
    {
      onRequest: requireManager,
      config: { errorCodes: ["invalid_cursor"] },
      schema: {
        operationId: "listEvents",
        tags: ["events"],
        summary: "What happened, newest first: to one order, user, cart, or all",
        description: "Events are kept for 30 days.",
        querystring: Type.Object({
          ...pageQuery,
          subject_id: Type.Optional(Id),
        }),
        response: { 200: Page(Event) },
      },
    },
    async (request) => {
      const page = readPage(request.query);
      return toPage(await listEvents(app.sql, request.query.subject_id, page), page);
    },
  );

  async function stream(
    request: FastifyRequest,
    reply: FastifyReply,
    what: Pick<Follow, "orderId" | "mayFollow" | "snapshot">,
  ) {
    const frames = await live.follow({
      ...what,
      lastEventId: request.headers["last-event-id"] as string | undefined,
      expiresAt: expiryOf(request),
      response: reply.raw,
    });
    return reply
      .type("text/event-stream; charset=utf-8")
      .header("cache-control", "no-store, no-transform")
      .header("x-accel-buffering", "no")
      .send(frames) as never;
  }

  async function isStillStaff({ user }: FastifyRequest): Promise<boolean> {
    const role = await findRole(app.sql, user.id);
    return role !== undefined && role !== "customer";
  }

  /** When the token that the guard has verified expires, in milliseconds since 1970. */
  function expiryOf({ headers: { authorization = "" } }: FastifyRequest): number {
    const token = authorization.slice(authorization.lastIndexOf(" ") + 1);
    return (app.jwt.decode<{ exp: number }>(token)?.exp ?? 0) * 1_000;
  }
};
