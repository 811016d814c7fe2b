import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Id, Nullable, Time, text } from "../schemas.ts";

const maxPriceCents = 100_000;
const PriceChange = Type.Integer({ minimum: -maxPriceCents, maximum: maxPriceCents });
const BasePrice = Type.Integer({ minimum: 0, maximum: maxPriceCents });
const Name = text(100, { minLength: 1, pattern: "\\S" });

export const Option = Type.Object({
  id: Id,
  name: Type.String(),
  price_change_cents: Type.Integer(),
  available: Type.Boolean(),
});

export const OptionGroup = Type.Object({
  id: Id,
  name: Type.String(),
  min_select: Type.Integer(),
  max_select: Type.Integer(),
  options: Type.Array(Option),
});

export const Variation = Type.Object({
  id: Id,
  name: Type.String(),
  price_change_cents: Type.Integer(),
  price_cents: Type.Integer(),
  available: Type.Boolean(),
});

const menuProduct = {
  id: Id,
  name: Type.String(),
  description: Nullable(Type.String()),
  category_id: Nullable(Id),
  image_url: Nullable(Type.String()),
  base_price_cents: Type.Integer(),
  available: Type.Boolean(),
  variations: Type.Array(Variation),
  option_groups: Type.Array(OptionGroup),
};

export const Product = Type.Object(
  {
    ...menuProduct,
    version: Type.Integer(),
    created_at: Time,
    updated_at: Time,
    archived_at: Nullable(Time),
  },
  { $id: "Product" },
);
export type Product = Static<typeof Product>;

export const Menu = Type.Object(
  {
    currency: Type.String(),
    categories: Type.Array(
      Type.Object({
        id: Id,
        name: Type.String(),
        description: Nullable(Type.String()),
        sort_order: Type.Integer(),
      }),
    ),
    products: Type.Array(Type.Object(menuProduct)),
  },
  { $id: "Menu" },
);

// Rows below a product are matched by `id` when given, else by name.

const OptionInput = Type.Object(
  { id: Type.Optional(Id), name: Name, price_change_cents: PriceChange },
  { additionalProperties: false },
);

const OptionGroupInput = Type.Object(
  {
    id: Type.Optional(Id),
    name: Name,
    min_select: Type.Integer({ minimum: 0, maximum: 20 }),
    max_select: Type.Integer({ minimum: 1, maximum: 20 }),
    options: Type.Array(OptionInput, { minItems: 1, maxItems: 20 }),
  },
  { additionalProperties: false },
);
export type OptionGroupInput = Static<typeof OptionGroupInput>;

const VariationInput = Type.Object(
  { id: Type.Optional(Id), name: Name, price_change_cents: PriceChange },
  { additionalProperties: false },
);
export type VariationInput = Static<typeof VariationInput>;

const optionalFields = {
  category_id: Type.Optional(Nullable(Id)),
  description: Type.Optional(Nullable(text(2000))),
  // Shown to everybody: a web address, or a path on this one; never `javascript:` and its like.
  image_url: Type.Optional(Nullable(text(2000, { pattern: "^(https?:/)?/\\S+$" }))),
};
const variations = Type.Array(VariationInput, { maxItems: 50 });
const option_groups = Type.Array(OptionGroupInput, { maxItems: 20 });

export const NewProduct = Type.Object(
  {
    name: Name,
    base_price_cents: BasePrice,
    ...optionalFields,
    variations: Type.Optional(variations),
    option_groups: Type.Optional(option_groups),
  },
  { additionalProperties: false },
);

export const ProductReplacement = Type.Object(
  { name: Name, base_price_cents: BasePrice, ...optionalFields, variations, option_groups },
  { additionalProperties: false },
);

export const ProductPatch = Type.Partial(NewProduct, { additionalProperties: false, minProperties: 1 });
export type ProductPatch = Static<typeof ProductPatch>;
