// Live orders as server-sent events: a snapshot, then each change. A returning client sends its Last-Event-ID.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { TSchema } from "@sinclair/typebox";
import type { FastifyReply, FastifyRequest } from "fastify";
import { isStaff, requireManager, requireStaff, requireUser } from "../auth/guards.ts";
import { listEvents } from "../events/queries.ts";
import { Event } from "../events/schemas.ts";
import { notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id } from "../http/schemas.ts";
import { findOrder, listOpenOrders } from "../orders/queries.ts";
import { Order } from "../orders/schemas.ts";
import { findRole } from "../users/queries.ts";
import { createOrderFeed, type SubscribeOptions } from "./feed.ts";
import { Board, OrderEvent } from "./schemas.ts";

const tags = ["orders"];

const headers = Type.Object({
  "last-event-id": Type.Optional(
    Type.String({
      description: "The id of the last event received; the missed events come instead of the snapshot",
    }),
  ),
});

const about =
  "`id` is the event's seq, `data` the event (schema `OrderEvent`). A comment comes every 15 seconds. The stream ends " +
  "when the token expires, and for staff within 20 seconds of losing the role. A client that does not read is " +
  "disconnected. Reconnect with the last id in Last-Event-ID.";

const responseOf = (snapshot: TSchema) => ({
  200: {
    description: "Events until the stream ends",
    // OpenAPI 3.1 has no schema for server-sent events; this is text that contains JSON.
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

export const orderFeedRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const feed = createOrderFeed(app.sql, app.log);
  // Open streams would keep the server from closing.
  app.addHook("preClose", feed.close);

  app.get(
    "/orders/:order_id/events",
    {
      onRequest: requireUser,
      exposeHeadRoute: false,
      config: { errorCodes: ["not_found"] },
      schema: {
        operationId: "followOrder",
        tags,
        summary: "Follow an order, as its owner or as staff",
        description: `First \`event: snapshot\` with the order, then each change. The stream ends when the order is finished. ${about}`,
        params: Type.Object({ order_id: Id }),
        headers,
        response: responseOf(Order),
      },
    },
    async (request, reply) => {
      const order = await findOrder(app.sql, request.params.order_id);
      const isOwner = order?.customer_id === request.user.id;
      if (!order || !(isOwner || (await isStaff(request)))) throw notFound("Order");
      return stream(request, reply, {
        orderId: order.id,
        ...(!isOwner && { mayContinue: () => isStillStaff(request) }),
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
        summary: "Follow all orders",
        description: `First \`event: snapshot\` with \`{ orders }\`, the unfinished orders, oldest first. Then each change. ${about}`,
        headers,
        response: responseOf(Board),
      },
    },
    async (request, reply) =>
      stream(request, reply, {
        orderId: undefined,
        mayContinue: () => isStillStaff(request),
        snapshot: async (tx) => ({ orders: await listOpenOrders(tx) }),
      }),
  );

  app.get(
    "/admin/events",
    {
      onRequest: requireManager,
      schema: {
        operationId: "listEvents",
        tags: ["events"],
        summary: "List events, newest first, of one subject or of all",
        description: "Events are stored for 30 days.",
        querystring: Type.Object({
          ...pageQuery,
          subject_id: Type.Optional(Id),
        }),
        response: { 200: Page(Event) },
      },
    },
    async (request) => paginate(request.query, (page) => listEvents(app.sql, request.query.subject_id, page)),
  );

  async function stream(
    request: FastifyRequest,
    reply: FastifyReply,
    options: Pick<SubscribeOptions, "orderId" | "mayContinue" | "snapshot">,
  ) {
    const frames = await feed.subscribe({
      ...options,
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

  /** Returns milliseconds since 1970. */
  function expiryOf({ headers: { authorization = "" } }: FastifyRequest): number {
    const token = authorization.slice(authorization.lastIndexOf(" ") + 1);
    return (app.jwt.decode<{ exp: number }>(token)?.exp ?? 0) * 1_000;
  }
};
