import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { NewOrderLine } from "../orders/schemas.ts";
import { Cents, Id, Nullable, OneOf, ref } from "../schemas.ts";

export const NewCartItem = NewOrderLine;

export const CartItemPatch = Type.Object(
  { quantity: Type.Integer({ minimum: 0, maximum: 100, description: "0 removes the line" }) },
  { additionalProperties: false },
);

export const CartItem = Type.Object(
  {
    id: Id,
    product_id: Id,
    variation_id: Nullable(Id),
    option_ids: Type.Array(Id),
    product_name: Nullable(Type.String()),
    variation_name: Nullable(Type.String()),
    options: Type.Array(Type.Object({ id: Id, name: Type.String(), price_change_cents: Type.Integer() })),
    quantity: Type.Integer(),
    unit_price_cents: Nullable(Cents),
    total_cents: Nullable(Cents),
    notes: Nullable(Type.String()),
  },
  { $id: "CartItem", description: "Priced as an order would be now; without a price if it can't be had" },
);
export type CartItem = Static<typeof CartItem>;

export const problemCodes = ["sold_out", "archived", "invalid_options", "price_changed"] as const;

export const CartProblem = Type.Object(
  { item_id: Id, code: OneOf(problemCodes), message: Type.String() },
  { $id: "CartProblem" },
);
export type CartProblem = Static<typeof CartProblem>;

const cart = {
  id: Nullable(Id),
  items: Type.Array(ref(CartItem)),
  total_cents: Type.Integer({ minimum: 0, description: "Of the lines that can be had" }),
  problems: Type.Array(ref(CartProblem)),
};

export const Cart = Type.Object(cart, { $id: "Cart" });
export type Cart = Static<typeof Cart>;

export const ReorderedCart = Type.Object({
  ...cart,
  skipped: Type.Array(Type.Object({ product_name: Type.String(), code: OneOf(problemCodes) }), {
    description: "What can't be had any more",
  }),
});
