import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Id, Link, Nullable, ref, SortOrder, Time, text } from "../schemas.ts";

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

export const MenuProduct = Type.Object(menuProduct, { $id: "MenuProduct" });
export type MenuProduct = Static<typeof MenuProduct>;

const menuCategory = {
  id: Id,
  name: Type.String(),
  description: Nullable(Type.String()),
  sort_order: Type.Integer(),
};

export const Category = Type.Object(
  { ...menuCategory, created_at: Time, updated_at: Time },
  { $id: "Category" },
);
export type Category = Static<typeof Category>;

export const Menu = Type.Object({
  currency: Type.String(),
  categories: Type.Array(Type.Object(menuCategory)),
  products: Type.Array(ref(MenuProduct)),
});

export const NewCategory = Type.Object(
  {
    name: Name,
    description: Type.Optional(Nullable(text(2000))),
    sort_order: Type.Optional(SortOrder),
  },
  { additionalProperties: false },
);

export const CategoryPatch = Type.Partial(NewCategory, { additionalProperties: false, minProperties: 1 });

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
  image_url: Type.Optional(Nullable(Link)),
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

export const AvailabilityChange = Type.Object(
  {
    available: Type.Boolean(),
    until: Type.Optional(Type.String({ format: "date-time", description: "When it is back; in the future" })),
    variation_id: Type.Optional(Id),
    option_id: Type.Optional(Id),
  },
  { additionalProperties: false },
);

const ImportedVariation = Type.Object(
  { name: Name, price_change_cents: PriceChange },
  { additionalProperties: false },
);

/** A row of an import. What is missing stays as it is. */
export const ImportRow = Type.Object(
  {
    name: Name,
    category: Type.Optional(Name),
    description: Type.Optional(text(2000)),
    base_price_cents: Type.Optional(BasePrice),
    image_url: Type.Optional(Link),
    variations: Type.Optional(Type.Array(ImportedVariation, { maxItems: 50 })),
  },
  { additionalProperties: false },
);
export type ImportRow = Static<typeof ImportRow>;

export const ImportResult = Type.Object({
  dry_run: Type.Boolean(),
  rows: Type.Integer(),
  created: Type.Integer(),
  updated: Type.Integer(),
});
export type ImportResult = Static<typeof ImportResult>;
