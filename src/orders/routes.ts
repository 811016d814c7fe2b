import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { isStaff, requireStaff, requireUser } from "../auth/guards.ts";
import { insertEvent } from "../events/queries.ts";
import { ApiError, notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id } from "../http/schemas.ts";
import { queueNotification } from "../notifications/queries.ts";
import { findOrder, listOrders, lockOrder, setOrderStatus } from "./queries.ts";
import { Order, OrderStatus, StatusChange } from "./schemas.ts";
import { countTransition, nextStatus } from "./status.ts";

const tags = ["orders"];
const params = Type.Object({ order_id: Id });

export const orderRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    "/orders/:order_id",
    {
      onRequest: requireUser,
      config: { errorCodes: ["not_found"] },
      schema: {
        operationId: "readOrder",
        tags,
        summary: "Read an order, as its owner or as staff",
        params,
        response: { 200: Order },
      },
    },
    async (request) => {
      const order = await findOrder(app.sql, request.params.order_id);
      const mine = order?.customer_id === request.user.id;
      if (!order || !(mine || (await isStaff(request)))) throw notFound("Order");
      return order;
    },
  );

  app.patch(
    "/orders/:order_id/status",
    {
      onRequest: requireStaff,
      config: { errorCodes: ["not_found", "invalid_transition"] },
      schema: {
        operationId: "changeOrderStatus",
        tags,
        summary: "Set an order to its next status: waiting, preparation, ready, delivered",
        params,
        body: StatusChange,
        response: { 200: Order },
      },
    },
    async (request) => {
      const { order_id } = request.params;
      const { status: to } = request.body;
      return app.sql.begin(async (tx) => {
        const locked = await lockOrder(tx, order_id);
        if (!locked) throw notFound("Order");
        const from = locked.status;
        if (nextStatus[from] !== to)
          throw new ApiError("invalid_transition", `Invalid transition from ${from} to ${to}`);
        const order = await setOrderStatus(tx, order_id, to);
        await Promise.all([
          insertEvent(tx, {
            type: "order.status_changed",
            subject_id: order_id,
            data: { ...order, from, to },
          }),
          queueNotification(tx, order_id, to),
        ]);
        countTransition(from, locked.seconds_in_status, to);
        return order;
      });
    },
  );

  app.get(
    "/admin/orders",
    {
      onRequest: requireStaff,
      schema: {
        operationId: "listOrders",
        tags,
        summary: "List all orders, newest first",
        querystring: Type.Object({
          ...pageQuery,
          status: Type.Optional(OrderStatus),
          customer_id: Type.Optional(Id),
          from: Type.Optional(Type.String({ format: "date-time", description: "Placed at or after" })),
          to: Type.Optional(Type.String({ format: "date-time", description: "Placed before" })),
        }),
        response: { 200: Page(Order) },
      },
    },
    async (request) => paginate(request.query, (page) => listOrders(app.sql, request.query, page)),
  );
};
