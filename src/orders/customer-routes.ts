// A customer's own orders: check out, look back, put away, order again.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireSelfOrManager } from "../auth/guards.ts";
import { cartStore, readCart, reorder } from "../carts/cart.ts";
import { ReorderedCart } from "../carts/schemas.ts";
import { readPlacementKey } from "../checkout/idempotency.ts";
import { type Counter, placementRefusals, placeOrder } from "../checkout/place.ts";
import { notFound } from "../http/errors.ts";
import { Page, pageQuery, readPage, toPage } from "../http/pagination.ts";
import { Id, UserId } from "../http/schemas.ts";
import { findOrder, listHistory, putAwayOrders } from "./queries.ts";
import { Checkout, IdempotencyHeader, Order } from "./schemas.ts";

const tags = ["orders"];
const params = Type.Object({ user_id: UserId });
const orderParams = Type.Object({ user_id: UserId, order_id: Id });

export const customerOrderRoutes: FastifyPluginAsyncTypebox<{ counter: Counter }> = async (
  app,
  { counter },
) => {
  app.post(
    "/users/:user_id/orders",
    {
      onRequest: requireSelfOrManager,
      config: {
        errorCodes: [...placementRefusals, "cart_empty"],
        responseHeaders: ["Location", "Idempotent-Replayed"],
      },
      schema: {
        operationId: "checkOut",
        tags,
        summary: "Order and pay what is in the cart",
        description:
          "The same placement as `POST /orders`; what was bought leaves the cart, what was added meanwhile stays.",
        params,
        headers: IdempotencyHeader,
        body: Type.Optional(Checkout),
        response: { 200: Order, 201: Order },
      },
    },
    async (request, reply) => {
      const { user_id } = request.params;
      const checkout = request.body ?? {};
      const { order, replayed } = await placeOrder(counter, {
        // The key's request is the body alone: a replay works when the cart is empty again.
        ...readPlacementKey(request.headers["idempotency-key"], { checkout }),
        customerId: user_id,
        order: checkout,
        items: cartStore(user_id),
        requestId: request.id,
      });
      if (replayed) return reply.header("idempotent-replayed", "true").send(order);
      return reply.code(201).header("location", `${app.settings.apiPrefix}/orders/${order.id}`).send(order);
    },
  );

  app.get(
    "/users/:user_id/orders",
    {
      onRequest: requireSelfOrManager,
      config: { errorCodes: ["invalid_cursor"] },
      schema: {
        operationId: "listOrdersOfUser",
        tags,
        summary: "A customer's orders, newest first, without those put away",
        params,
        querystring: Type.Object(pageQuery),
        response: { 200: Page(Order) },
      },
    },
    async (request) => {
      const page = readPage(request.query);
      return toPage(await listHistory(app.sql, request.params.user_id, page), page);
    },
  );

  app.get(
    "/users/:user_id/orders/:order_id",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "readOrderOfUser",
        tags,
        summary: "One of a customer's orders",
        params: orderParams,
        response: { 200: Order },
      },
    },
    async (request) => findOwnOrder(request.params),
  );

  app.delete(
    "/users/:user_id/orders",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "deleteOrders",
        tags,
        summary: "Put all finished orders away",
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await putAwayOrders(app.sql, request.params.user_id);
      return reply.code(204).send(null);
    },
  );

  app.post(
    "/users/:user_id/orders/:order_id/reorder",
    {
      onRequest: requireSelfOrManager,
      config: { errorCodes: ["invalid_item", "sold_out", "quantity_limit"] },
      schema: {
        operationId: "reorder",
        tags,
        summary: "Put what can still be had of an order into the cart",
        params: orderParams,
        response: { 200: ReorderedCart },
      },
    },
    async (request) => {
      const { user_id } = request.params;
      const skipped = await reorder(app.sql, user_id, await findOwnOrder(request.params));
      return { ...(await readCart(app.sql, user_id)), skipped };
    },
  );

  async function findOwnOrder({ user_id, order_id }: { user_id: string; order_id: string }): Promise<Order> {
    const order = await findOrder(app.sql, order_id);
    if (order?.customer_id !== user_id) throw notFound("Order");
    return order;
  }
};
