import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireSelfOrManager } from "../auth/guards.ts";
import { notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id, UserId } from "../http/schemas.ts";
import { findOrderOfCustomer, hideOrders, listHistory } from "./queries.ts";
import { Order } from "./schemas.ts";

const tags = ["orders"];
const params = Type.Object({ user_id: UserId });

export const customerOrderRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    "/users/:user_id/orders",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "listOrdersOfUser",
        tags,
        summary: "List a customer's orders, newest first, without hidden ones",
        params,
        querystring: Type.Object(pageQuery),
        response: { 200: Page(Order) },
      },
    },
    async (request) => paginate(request.query, (page) => listHistory(app.sql, request.params.user_id, page)),
  );

  app.get(
    "/users/:user_id/orders/:order_id",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "readOrderOfUser",
        tags,
        summary: "Read one of a customer's orders",
        params: Type.Object({ user_id: UserId, order_id: Id }),
        response: { 200: Order },
      },
    },
    async (request) => {
      const { user_id, order_id } = request.params;
      const order = await findOrderOfCustomer(app.sql, user_id, order_id);
      if (!order) throw notFound("Order");
      return order;
    },
  );

  app.delete(
    "/users/:user_id/orders",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "deleteOrders",
        tags,
        summary: "Hide all finished orders from the customer's list",
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await hideOrders(app.sql, request.params.user_id);
      return reply.code(204).send(null);
    },
  );
};
