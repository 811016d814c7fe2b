import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireManager } from "../auth/guards.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id } from "../http/schemas.ts";
import { listPayments } from "./queries.ts";
import { Payment, PaymentStatus } from "./schemas.ts";

export const paymentRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    "/admin/payments",
    {
      onRequest: requireManager,
      schema: {
        operationId: "listPayments",
        tags: ["payments"],
        summary: "List the ledger of charges, newest first",
        querystring: Type.Object({
          ...pageQuery,
          status: Type.Optional(PaymentStatus),
          order_id: Type.Optional(Id),
        }),
        response: { 200: Page(Payment) },
      },
    },
    async (request) => paginate(request.query, (page) => listPayments(app.sql, request.query, page)),
  );
};
