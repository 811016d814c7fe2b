import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { currentRole, requireManager, requireSelfOrManager, requireUser } from "../auth/guards.ts";
import { ApiError, invalidField, notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id, UserId } from "../http/schemas.ts";
import { findOrder, hideOrders, lockOrder } from "../orders/queries.ts";
import { Order } from "../orders/schemas.ts";
import { cancelable, cancelOrder } from "./cancel.ts";
import { findRefund, listRefunds } from "./queries.ts";
import { requestRefund, retryRefund } from "./refunds.ts";
import { Cancellation, Refund, RefundInput, RefundStatus } from "./schemas.ts";

const params = Type.Object({ order_id: Id });

export const refundRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    "/orders/:order_id/cancel",
    {
      onRequest: requireUser,
      config: { errorCodes: ["forbidden", "not_found", "too_late"] },
      schema: {
        operationId: "cancelOrder",
        tags: ["orders"],
        summary: "Cancel an order and refund its payment",
        description:
          "The owner may cancel while the order is waiting. A manager may cancel until it is delivered, with a reason.",
        params,
        body: Type.Optional(Cancellation),
        response: { 200: Order },
      },
    },
    async (request) => {
      const { order_id } = request.params;
      const reason = request.body?.reason ?? null;
      const role = await currentRole(request);
      return app.sql.begin(async (tx) => {
        const locked = await lockOrder(tx, order_id);
        const mine = locked?.customer_id === request.user.id;
        if (!locked || !(mine || role !== "customer")) throw notFound("Order");
        if (mine && (role !== "manager" || cancelable.owner.includes(locked.status)))
          return cancelOrder(tx, order_id, locked, cancelable.owner, reason);
        if (role !== "manager")
          throw new ApiError("forbidden", "Only a manager may cancel another customer's order");
        if (!reason) throw invalidField("/reason", "is required to cancel another customer's order");
        return cancelOrder(tx, order_id, locked, cancelable.manager, reason);
      });
    },
  );

  app.delete(
    "/users/:user_id/orders/:order_id",
    {
      onRequest: requireSelfOrManager,
      config: { errorCodes: ["order_in_progress"] },
      schema: {
        operationId: "deleteOrder",
        tags: ["orders"],
        summary: "Cancel and refund a waiting order, or hide a finished one",
        description: "The order stays in the database.",
        params: Type.Object({ user_id: UserId, order_id: Id }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { user_id, order_id } = request.params;
      await app.sql.begin(async (tx) => {
        const locked = await lockOrder(tx, order_id);
        if (locked?.customer_id !== user_id) throw notFound("Order");
        if (locked.status === "waiting") await cancelOrder(tx, order_id, locked, cancelable.owner, null);
        else if (locked.status === "preparation" || locked.status === "ready")
          throw new ApiError(
            "order_in_progress",
            `The order is in ${locked.status}; only a manager can still cancel it`,
          );
        else await hideOrders(tx, user_id, order_id);
      });
      return reply.code(204).send(null);
    },
  );

  app.get(
    "/admin/refunds",
    {
      onRequest: requireManager,
      schema: {
        operationId: "listRefunds",
        tags: ["payments"],
        summary: "List all refunds, newest first",
        description: "Includes the refunds of charges without an order.",
        querystring: Type.Object({ ...pageQuery, status: Type.Optional(RefundStatus) }),
        response: { 200: Page(Refund) },
      },
    },
    async (request) => paginate(request.query, (page) => listRefunds(app.sql, request.query, page)),
  );

  app.post(
    "/admin/orders/:order_id/refunds",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found", "refund_exceeds_payment"] },
      schema: {
        operationId: "createRefund",
        tags: ["payments"],
        summary: "Refund a part or the rest of an order's payment",
        params,
        body: RefundInput,
        response: { 201: Refund },
      },
    },
    async (request, reply) => {
      const { order_id } = request.params;
      const { amount_cents, reason } = request.body;
      const refund = await app.sql.begin(async (tx) => {
        if (!(await lockOrder(tx, order_id))) throw notFound("Order");
        return (await findRefund(tx, await requestRefund(tx, order_id, amount_cents, reason)))!;
      });
      return reply.code(201).send(refund);
    },
  );

  app.get(
    "/admin/orders/:order_id/refunds",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found"] },
      schema: {
        operationId: "listRefundsOfOrder",
        tags: ["payments"],
        summary: "List an order's refunds, newest first",
        params,
        querystring: Type.Object(pageQuery),
        response: { 200: Page(Refund) },
      },
    },
    async (request) => {
      const { order_id } = request.params;
      return paginate(request.query, async (page) => {
        const refunds = await listRefunds(app.sql, { order_id }, page);
        if (refunds.length === 0 && !(await findOrder(app.sql, order_id))) throw notFound("Order");
        return refunds;
      });
    },
  );

  app.post(
    "/admin/orders/:order_id/refunds/:refund_id/retry",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found", "refund_exceeds_payment"] },
      schema: {
        operationId: "retryRefund",
        tags: ["payments"],
        summary: "Send a refund again at once",
        params: Type.Object({ order_id: Id, refund_id: Id }),
        response: { 202: Refund },
      },
    },
    async (request, reply) => {
      const { order_id, refund_id } = request.params;
      const refund = await app.sql.begin(async (tx) => {
        const order = await lockOrder(tx, order_id);
        const known = order && (await findRefund(tx, refund_id));
        if (known?.order_id !== order_id.toLowerCase()) throw notFound("Refund");
        await retryRefund(tx, order_id, known);
        return (await findRefund(tx, refund_id))!;
      });
      return reply.code(202).send(refund);
    },
  );
};
