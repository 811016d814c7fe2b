// The ledger, and money on its way back. Managers only.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireManager } from "../auth/guards.ts";
import { ApiError, notFound } from "../http/errors.ts";
import { Page, pageQuery, readPage, toPage } from "../http/pagination.ts";
import { Id } from "../http/schemas.ts";
import { findOrder, lockOrder } from "../orders/queries.ts";
import {
  balancePayment,
  findRefund,
  findRefundable,
  listRefunds,
  lockPaymentOfOrder,
  rescheduleRefund,
} from "../refunds/queries.ts";
import { requestRefund } from "../refunds/refunds.ts";
import { listPayments } from "./queries.ts";
import { Payment, PaymentStatus, Refund, RefundInput, RefundStatus } from "./schemas.ts";

const tags = ["payments"];
const params = Type.Object({ order_id: Id });

export const paymentRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    "/admin/payments",
    {
      onRequest: requireManager,
      config: { refuses: ["invalid_cursor"] },
      schema: {
        operationId: "listPayments",
        tags,
        summary: "The ledger of charges, newest first",
        querystring: Type.Object({
          ...pageQuery,
          status: Type.Optional(PaymentStatus),
          order_id: Type.Optional(Id),
        }),
        response: { 200: Page(Payment) },
      },
    },
    async (request) => {
      const page = readPage(request.query);
      return toPage(await listPayments(app.sql, request.query, page), page);
    },
  );

  app.get(
    "/admin/refunds",
    {
      onRequest: requireManager,
      config: { refuses: ["invalid_cursor"] },
      schema: {
        operationId: "listRefunds",
        tags,
        summary: "The ledger of refunds, newest first",
        description: "Also those of charges that no order came of.",
        querystring: Type.Object({ ...pageQuery, status: Type.Optional(RefundStatus) }),
        response: { 200: Page(Refund) },
      },
    },
    async (request) => {
      const page = readPage(request.query);
      return toPage(await listRefunds(app.sql, request.query, page), page);
    },
  );

  app.post(
    "/admin/orders/:order_id/refunds",
    {
      onRequest: requireManager,
      config: { refuses: ["not_found", "refund_exceeds_payment"] },
      schema: {
        operationId: "createRefund",
        tags,
        summary: "Give a part or the rest of an order's payment back",
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
      config: { refuses: ["not_found", "invalid_cursor"] },
      schema: {
        operationId: "listRefundsOfOrder",
        tags,
        summary: "An order's refunds, newest first",
        params,
        querystring: Type.Object(pageQuery),
        response: { 200: Page(Refund) },
      },
    },
    async (request) => {
      const page = readPage(request.query);
      const { order_id } = request.params;
      const refunds = await listRefunds(app.sql, { order_id }, page);
      if (refunds.length === 0 && !(await findOrder(app.sql, order_id))) throw notFound("Order");
      return toPage(refunds, page);
    },
  );

  app.post(
    "/admin/orders/:order_id/refunds/:refund_id/retry",
    {
      onRequest: requireManager,
      config: { refuses: ["not_found", "refund_exceeds_payment"] },
      schema: {
        operationId: "retryRefund",
        tags,
        summary: "Send a refund again, now",
        params: Type.Object({ order_id: Id, refund_id: Id }),
        response: { 202: Refund },
      },
    },
    async (request, reply) => {
      const { order_id, refund_id } = request.params;
      const refund = await app.sql.begin(async (tx) => {
        const locked = await lockOrder(tx, order_id);
        const known = locked && (await findRefund(tx, refund_id));
        if (!known || known.order_id !== order_id.toLowerCase()) throw notFound("Refund");
        const payment = await lockPaymentOfOrder(tx, order_id);
        // A failed one no longer counts: others may have taken its place.
        if (known.status === "failed" && known.amount_cents > (await findRefundable(tx, payment.id)))
          throw new ApiError(
            "refund_exceeds_payment",
            "Other refunds have taken what was left of the payment",
          );
        await rescheduleRefund(tx, refund_id);
        await balancePayment(tx, payment.id);
        return (await findRefund(tx, refund_id))!;
      });
      return reply.code(202).send(refund);
    },
  );
};
