import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { FastifyReply } from "fastify";
import { requireSelfOrManager, requireUser } from "../auth/guards.ts";
import { cartLineSource } from "../carts/cart.ts";
import { UserId } from "../http/schemas.ts";
import { Order } from "../orders/schemas.ts";
import type { CheckoutContext } from "./context.ts";
import { readRequestKey } from "./idempotency.ts";
import type { OrderRequest } from "./order-request.ts";
import { placeOrder } from "./place.ts";
import { Checkout, IdempotencyHeader, OrderInput } from "./schemas.ts";

const tags = ["orders"];

const placeOrderErrorCodes = [
  "invalid_idempotency_key",
  "invalid_item",
  "payment_failed",
  "payment_unconfirmed",
  "sold_out",
  "total_mismatch",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "checkout_busy",
  "payment_provider_unavailable",
] as const;

export const checkoutRoutes: FastifyPluginAsyncTypebox<{ checkout: CheckoutContext }> = async (
  app,
  { checkout },
) => {
  app.post(
    "/orders",
    {
      onRequest: requireUser,
      config: { errorCodes: placeOrderErrorCodes, responseHeaders: ["Location", "Idempotent-Replayed"] },
      schema: {
        operationId: "placeOrder",
        tags,
        summary: "Place and pay an order",
        description:
          "With an Idempotency-Key the client can safely send the request again. The same key and request return " +
          "the same order (200, `Idempotent-Replayed: true`) for 24 hours, without a second charge.",
        headers: IdempotencyHeader,
        body: OrderInput,
        response: { 200: Order, 201: Order },
      },
    },
    async (request, reply) =>
      sendPlaced(reply, {
        ...readRequestKey(request.headers["idempotency-key"], request.body),
        customerId: request.user.id,
        order: request.body,
        lines: request.body.items,
        requestId: request.id,
      }),
  );

  app.post(
    "/users/:user_id/orders",
    {
      onRequest: requireSelfOrManager,
      config: {
        errorCodes: [...placeOrderErrorCodes, "cart_empty"],
        responseHeaders: ["Location", "Idempotent-Replayed"],
      },
      schema: {
        operationId: "checkOut",
        tags,
        summary: "Place and pay an order of the cart's lines",
        description:
          "Works like `POST /orders`. The purchased lines leave the cart; lines added meanwhile stay.",
        params: Type.Object({ user_id: UserId }),
        headers: IdempotencyHeader,
        body: Type.Optional(Checkout),
        response: { 200: Order, 201: Order },
      },
    },
    async (request, reply) => {
      const { user_id } = request.params;
      const body = request.body ?? {};
      return sendPlaced(reply, {
        // Hashes the body without the lines: a replay works when the cart is empty again.
        ...readRequestKey(request.headers["idempotency-key"], { checkout: body }),
        customerId: user_id,
        order: body,
        lines: cartLineSource(user_id),
        requestId: request.id,
      });
    },
  );

  async function sendPlaced(reply: FastifyReply, request: OrderRequest) {
    const { order, replayed } = await placeOrder(checkout, request);
    if (replayed) reply.header("idempotent-replayed", "true");
    else reply.code(201).header("location", `${app.settings.apiPrefix}/orders/${order.id}`);
    return order;
  }
};
