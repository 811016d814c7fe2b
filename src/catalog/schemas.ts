import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Id, Link, Nullable, nonBlankText, SortOrder, Time, text } from "../http/schemas.ts";

const maxPriceCents = 100_000;
const PriceChange = Type.Integer({ minimum: -maxPriceCents, maximum: maxPriceCents });
const BasePrice = Type.Integer({ minimum: 0, maximum: maxPriceCents });
const Name = nonBlankText(100);

export const Option = Type.Object(
  { id: Id, name: Type.String(), price_change_cents: Type.Integer(), available: Type.Boolean() },
  { title: "Option" },
);

export const OptionGroup = Type.Object(
  {
    id: Id,
    name: Type.String(),
    min_select: Type.Integer(),
    max_select: Type.Integer(),
    options: Type.Array(Option),
  },
  { title: "OptionGroup", description: "The customer chooses from min_select to max_select of the options" },
);

export const Variation = Type.Object(
  {
    id: Id,
    name: Type.String(),
    price_change_cents: Type.Integer(),
    price_cents: Type.Integer({ description: "The price of the product in this variation, without options" }),
    available: Type.Boolean(),
  },
  { title: "Variation" },
);

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
  { title: "Product" },
);
export type Product = Static<typeof Product>;

export const MenuProduct = Type.Object(menuProduct, { title: "MenuProduct" });
export type MenuProduct = Static<typeof MenuProduct>;

const menuCategory = {
  id: Id,
  name: Type.String(),
  description: Nullable(Type.String()),
  sort_order: Type.Integer(),
};

export const Category = Type.Object(
  { ...menuCategory, created_at: Time, updated_at: Time },
  { title: "Category" },
);
export type Category = Static<typeof Category>;

export const Menu = Type.Object(
  {
    currency: Type.String({ description: "ISO 4217" }),
    categories: Type.Array(Type.Object(menuCategory, { title: "MenuCategory" })),
    products: Type.Array(MenuProduct),
  },
  {
    title: "Menu",
    examples: [
      {
        currency: "EUR",
        categories: [
          { id: "0197f3c1-7f00-7a1b-8c2d-3e4f5a6b7c8d", name: "Coffee", description: null, sort_order: 1 },
        ],
        products: [
          {
            id: "0197f3c2-8a10-7c3e-9a51-2f6b7d0e4a11",
            name: "Latte",
            description: "Espresso with steamed milk",
            category_id: "0197f3c1-7f00-7a1b-8c2d-3e4f5a6b7c8d",
            image_url: null,
            base_price_cents: 400,
            available: true,
            variations: [
              {
                id: "0197f3c2-8a10-7c3e-9a51-2f6b7d0e4a12",
                name: "Pumpkin Spice",
                price_change_cents: 50,
                price_cents: 450,
                available: true,
              },
            ],
            option_groups: [],
          },
        ],
      },
    ],
  },
);

export const CategoryInput = Type.Object(
  {
    name: Name,
    description: Type.Optional(Nullable(text(2000))),
    sort_order: Type.Optional(SortOrder),
  },
  {
    title: "CategoryInput",
    additionalProperties: false,
    examples: [{ name: "Coffee", description: "Hot and iced", sort_order: 1 }],
  },
);
export type CategoryInput = Static<typeof CategoryInput>;

export const CategoryPatch = Type.Partial(CategoryInput, {
  title: "CategoryPatch",
  additionalProperties: false,
  minProperties: 1,
  examples: [{ sort_order: 2 }],
});
export type CategoryPatch = Static<typeof CategoryPatch>;

// A nested row matches the stored row of its `id`, else of its name.

const OptionInput = Type.Object(
  { id: Type.Optional(Id), name: Name, price_change_cents: PriceChange },
  { title: "OptionInput", additionalProperties: false },
);

const OptionGroupInput = Type.Object(
  {
    id: Type.Optional(Id),
    name: Name,
    min_select: Type.Integer({ minimum: 0, maximum: 20 }),
    max_select: Type.Integer({ minimum: 1, maximum: 20 }),
    options: Type.Array(OptionInput, { minItems: 1, maxItems: 20 }),
  },
  { title: "OptionGroupInput", additionalProperties: false },
);
export type OptionGroupInput = Static<typeof OptionGroupInput>;

const VariationInput = Type.Object(
  { id: Type.Optional(Id), name: Name, price_change_cents: PriceChange },
  { title: "VariationInput", additionalProperties: false },
);
export type VariationInput = Static<typeof VariationInput>;

const optionalFields = {
  category_id: Type.Optional(Nullable(Id)),
  description: Type.Optional(Nullable(text(2000))),
  image_url: Type.Optional(Nullable(Link)),
};
const variations = Type.Array(VariationInput, { maxItems: 50 });
const option_groups = Type.Array(OptionGroupInput, { maxItems: 20 });

const flatWhite = {
  name: "Flat White",
  base_price_cents: 420,
  category_id: "0197f3c1-7f00-7a1b-8c2d-3e4f5a6b7c8d",
  variations: [
    { name: "Single", price_change_cents: 0 },
    { name: "Double", price_change_cents: 80 },
  ],
  option_groups: [
    {
      name: "Milk",
      min_select: 0,
      max_select: 1,
      options: [
        { name: "Whole", price_change_cents: 0 },
        { name: "Oat", price_change_cents: 60 },
      ],
    },
  ],
};

export const ProductInput = Type.Object(
  {
    name: Name,
    base_price_cents: BasePrice,
    ...optionalFields,
    variations: Type.Optional(variations),
    option_groups: Type.Optional(option_groups),
  },
  { title: "ProductInput", additionalProperties: false, examples: [flatWhite] },
);

export const ProductReplacement = Type.Object(
  { name: Name, base_price_cents: BasePrice, ...optionalFields, variations, option_groups },
  { title: "ProductReplacement", additionalProperties: false, examples: [flatWhite] },
);

export const ProductPatch = Type.Partial(ProductInput, {
  title: "ProductPatch",
  additionalProperties: false,
  minProperties: 1,
  examples: [{ base_price_cents: 430 }],
});
export type ProductPatch = Static<typeof ProductPatch>;

export const AvailabilityChange = Type.Object(
  {
    available: Type.Boolean(),
    until: Type.Optional(
      Type.String({ format: "date-time", description: "Future time at which it becomes available again" }),
    ),
    variation_id: Type.Optional(Id),
    option_id: Type.Optional(Id),
  },
  {
    title: "AvailabilityChange",
    additionalProperties: false,
    examples: [{ available: false, variation_id: "0197f3c2-8a10-7c3e-9a51-2f6b7d0e4a12" }],
  },
);

const ImportedVariation = Type.Object(
  { name: Name, price_change_cents: PriceChange },
  { title: "ImportedVariation", additionalProperties: false },
);

/** A row of an import. An omitted field keeps its value. */
export const ImportRow = Type.Object(
  {
    name: Name,
    category: Type.Optional(Name),
    description: Type.Optional(text(2000)),
    base_price_cents: Type.Optional(BasePrice),
    image_url: Type.Optional(Link),
    variations: Type.Optional(Type.Array(ImportedVariation, { maxItems: 50 })),
  },
  {
    title: "ImportRow",
    additionalProperties: false,
    examples: [
      {
        name: "Latte",
        category: "Coffee",
        base_price_cents: 400,
        variations: [{ name: "Large", price_change_cents: 80 }],
      },
    ],
  },
);
export type ImportRow = Static<typeof ImportRow>;

export const ImportResult = Type.Object(
  { dry_run: Type.Boolean(), rows: Type.Integer(), created: Type.Integer(), updated: Type.Integer() },
  { title: "ImportResult" },
);
export type ImportResult = Static<typeof ImportResult>;
