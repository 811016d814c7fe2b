import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Id, Link, Nullable, nonBlankText, SortOrder, Time, text } from "../http/schemas.ts";

export const Promotion = Type.Object(
  {
    id: Id,
    title: Type.String(),
    description: Nullable(Type.String()),
    image_url: Nullable(Type.String()),
    link_url: Nullable(Type.String()),
    sort_order: Type.Integer(),
    starts_at: Nullable(Time),
    ends_at: Nullable(Time),
    created_at: Time,
    updated_at: Time,
  },
  { title: "Promotion" },
);
export type Promotion = Static<typeof Promotion>;

export const PromotionInput = Type.Object(
  {
    title: nonBlankText(200),
    description: Type.Optional(Nullable(text(2000))),
    image_url: Type.Optional(Nullable(Link)),
    link_url: Type.Optional(Nullable(Link)),
    sort_order: Type.Optional(SortOrder),
    starts_at: Type.Optional(Nullable(Time)),
    ends_at: Type.Optional(Nullable(Time)),
  },
  {
    title: "PromotionInput",
    additionalProperties: false,
    examples: [
      { title: "Happy hour", description: "Iced coffee at half price", ends_at: "2026-08-01T18:00:00Z" },
    ],
  },
);
export type PromotionInput = Static<typeof PromotionInput>;

export const PromotionPatch = Type.Partial(PromotionInput, {
  title: "PromotionPatch",
  additionalProperties: false,
  minProperties: 1,
  examples: [{ ends_at: null }],
});
export type PromotionPatch = Static<typeof PromotionPatch>;
