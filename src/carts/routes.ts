// A user's cart. It stores no prices; every read prices it anew.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireSelfOrManager } from "../auth/guards.ts";
import { ApiError, notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id, UserId } from "../http/schemas.ts";
import { findOrderOfCustomer } from "../orders/queries.ts";
import { OrderLineInput } from "../orders/schemas.ts";
import { addToCart, changeCart, readCart, reorder } from "./cart.ts";
import { deleteCart, deleteCartLine, deleteCartLines, insertCart, setCartLineQuantity } from "./queries.ts";
import { Cart, CartItem, CartItemPatch, ReorderedCart } from "./schemas.ts";

const tags = ["carts"];
const params = Type.Object({ user_id: UserId });
const itemParams = Type.Object({ user_id: UserId, item_id: Id });

export const cartRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    "/users/:user_id/cart",
    {
      onRequest: requireSelfOrManager,
      config: { errorCodes: ["cart_exists"] },
      schema: {
        operationId: "createCart",
        tags,
        summary: "Create an empty cart; adding the first item does so, too",
        params,
        response: { 201: Cart },
      },
    },
    async (request, reply) => {
      const { user_id } = request.params;
      await changeCart(app.sql, user_id, async (tx) => {
        const cart = await insertCart(tx, user_id);
        if (!cart) throw new ApiError("cart_exists", "The user has a cart already");
        return cart.id;
      });
      return reply.code(201).send(await readCart(app.sql, user_id));
    },
  );

  app.get(
    "/users/:user_id/cart",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "readCart",
        tags,
        summary: "Read the cart with current prices",
        params,
        response: { 200: Cart },
      },
    },
    async (request) => readCart(app.sql, request.params.user_id),
  );

  app.delete(
    "/users/:user_id/cart",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "deleteCart",
        tags,
        summary: "Delete the cart, if one exists",
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { user_id } = request.params;
      await changeCart(app.sql, user_id, (tx) => deleteCart(tx, user_id)).catch(ignoreNotFound);
      return reply.code(204).send(null);
    },
  );

  app.get(
    "/users/:user_id/cart/items",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "listCartItems",
        tags,
        summary: "List the cart's lines, newest first",
        params,
        querystring: Type.Object(pageQuery),
        response: { 200: Page(CartItem) },
      },
    },
    async (request) =>
      paginate(request.query, async ({ after }) => {
        const { items } = await readCart(app.sql, request.params.user_id);
        return items.reverse().filter(({ id }) => !after || id < after);
      }),
  );

  app.post(
    "/users/:user_id/cart/items",
    {
      onRequest: requireSelfOrManager,
      config: { errorCodes: ["invalid_item", "sold_out", "quantity_limit"], responseHeaders: ["Location"] },
      schema: {
        operationId: "addCartItem",
        tags,
        summary: "Add a line; an equal line adds its quantity",
        params,
        body: OrderLineInput,
        response: { 201: CartItem },
      },
    },
    async (request, reply) => {
      const { user_id } = request.params;
      let itemId = "";
      await changeCart(app.sql, user_id, async (tx) => {
        const { id, cartId } = await addToCart(tx, user_id, request.body);
        itemId = id;
        return cartId;
      });
      const location = `${app.settings.apiPrefix}/users/${user_id}/cart/items/${itemId}`;
      return reply
        .code(201)
        .header("location", location)
        .send(await readCartItem(user_id, itemId));
    },
  );

  app.delete(
    "/users/:user_id/cart/items",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "deleteCartItems",
        tags,
        summary: "Delete all lines",
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { user_id } = request.params;
      await changeCart(app.sql, user_id, (tx) => deleteCartLines(tx, user_id)).catch(ignoreNotFound);
      return reply.code(204).send(null);
    },
  );

  app.get(
    "/users/:user_id/cart/items/:item_id",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "readCartItem",
        tags,
        summary: "Read a line",
        params: itemParams,
        response: { 200: CartItem },
      },
    },
    async (request) => readCartItem(request.params.user_id, request.params.item_id),
  );

  app.patch(
    "/users/:user_id/cart/items/:item_id",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "changeCartItem",
        tags,
        summary: "Change a line's quantity; 0 deletes the line",
        params: itemParams,
        body: CartItemPatch,
        response: { 200: CartItem, 204: Type.Null({ description: "The line was deleted" }) },
      },
    },
    async (request, reply) => {
      const { user_id, item_id } = request.params;
      const { quantity } = request.body;
      await changeCart(app.sql, user_id, (tx) =>
        quantity === 0
          ? deleteCartLine(tx, user_id, item_id)
          : setCartLineQuantity(tx, user_id, item_id, quantity),
      );
      return quantity === 0 ? reply.code(204).send(null) : readCartItem(user_id, item_id);
    },
  );

  app.delete(
    "/users/:user_id/cart/items/:item_id",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "deleteCartItem",
        tags,
        summary: "Delete a line",
        params: itemParams,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { user_id, item_id } = request.params;
      await changeCart(app.sql, user_id, (tx) => deleteCartLine(tx, user_id, item_id));
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
        tags: ["orders"],
        summary: "Add the lines of an order that are still available to the cart",
        params: Type.Object({ user_id: UserId, order_id: Id }),
        response: { 200: ReorderedCart },
      },
    },
    async (request) => {
      const { user_id, order_id } = request.params;
      const order = await findOrderOfCustomer(app.sql, user_id, order_id);
      if (!order) throw notFound("Order");
      const skipped = await reorder(app.sql, user_id, order);
      return { ...(await readCart(app.sql, user_id)), skipped };
    },
  );

  async function readCartItem(userId: string, itemId: string): Promise<CartItem> {
    const { items } = await readCart(app.sql, userId);
    const item = items.find(({ id }) => id === itemId.toLowerCase());
    if (!item) throw notFound("Cart item");
    return item;
  }
};

/** Deleting a missing cart or line is no error. */
const ignoreNotFound = (error: unknown) => {
  if (!(error instanceof ApiError && error.code === "not_found")) throw error;
};
