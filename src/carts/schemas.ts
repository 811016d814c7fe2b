import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Cents, Id, Nullable, StringEnum } from "../http/schemas.ts";
import { ChosenOption } from "../orders/schemas.ts";

export const CartItemPatch = Type.Object(
  { quantity: Type.Integer({ minimum: 0, maximum: 100, description: "0 deletes the line" }) },
  { title: "CartItemPatch", additionalProperties: false, examples: [{ quantity: 3 }] },
);

export const CartItem = Type.Object(
  {
    id: Id,
    product_id: Id,
    variation_id: Nullable(Id),
    option_ids: Type.Array(Id),
    product_name: Nullable(Type.String()),
    variation_name: Nullable(Type.String()),
    options: Type.Array(ChosenOption),
    quantity: Type.Integer(),
    unit_price_cents: Nullable(Cents),
    total_cents: Nullable(Cents),
    notes: Nullable(Type.String()),
  },
  { title: "CartItem", description: "With current prices; without a price if unavailable" },
);
export type CartItem = Static<typeof CartItem>;

const CartProblemCode = StringEnum(["sold_out", "archived", "invalid_options", "price_changed"], {
  title: "CartProblemCode",
});

export const CartProblem = Type.Object(
  { item_id: Id, code: CartProblemCode, message: Type.String() },
  { title: "CartProblem" },
);
export type CartProblem = Static<typeof CartProblem>;

const cart = {
  id: Nullable({ ...Id, description: "null if no cart exists" }),
  items: Type.Array(CartItem),
  total_cents: Type.Integer({ minimum: 0, description: "The total of the available lines" }),
  problems: Type.Array(CartProblem),
};

export const Cart = Type.Object(cart, { title: "Cart" });
export type Cart = Static<typeof Cart>;

const SkippedItem = Type.Object(
  { product_name: Type.String(), code: CartProblemCode },
  { title: "SkippedItem" },
);
export type SkippedItem = Static<typeof SkippedItem>;

export const ReorderedCart = Type.Object(
  { ...cart, skipped: Type.Array(SkippedItem, { description: "The unavailable lines" }) },
  { title: "ReorderedCart" },
);
