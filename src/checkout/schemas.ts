import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { JsonObject, text } from "../http/schemas.ts";
import { Fulfillment, OrderLineInput } from "../orders/schemas.ts";

const placementFields = {
  total_cents: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: "The total that the customer saw. Another total is rejected without a charge",
    }),
  ),
  // Titled, because openapi-generator would otherwise make the enclosing object open too.
  metadata: Type.Optional({
    ...JsonObject,
    title: "Metadata",
    description: "For the client; at most 2 KiB of JSON",
  }),
  notes: Type.Optional(text(1000)),
  fulfillment: Type.Optional(Fulfillment),
};

export const OrderInput = Type.Object(
  { items: Type.Array(OrderLineInput, { minItems: 1, maxItems: 50 }), ...placementFields },
  {
    title: "OrderInput",
    additionalProperties: false,
    examples: [
      {
        items: [
          {
            product_id: "0197f3c2-8a10-7c3e-9a51-2f6b7d0e4a11",
            variation_id: "0197f3c2-8a10-7c3e-9a51-2f6b7d0e4a12",
            quantity: 2,
          },
        ],
        total_cents: 900,
        fulfillment: { type: "dine_in", table: "4" },
      },
    ],
  },
);
export type OrderInput = Static<typeof OrderInput>;

export const Checkout = Type.Object(placementFields, {
  title: "Checkout",
  additionalProperties: false,
  examples: [{ total_cents: 900, fulfillment: { type: "pickup" } }],
});

export const IdempotencyHeader = Type.Object({
  "idempotency-key": Type.Optional(
    Type.String({
      pattern: "^[!-~]{1,255}$",
      description:
        "1 to 255 visible ASCII characters, new for each order. The same key and body return the same order without " +
        "a second charge. See Retries.",
    }),
  ),
});
