import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Cents, Id, Nullable, OneOf, Time, text } from "../schemas.ts";
import { statuses } from "./status.ts";

export const NewOrderLine = Type.Object(
  {
    product_id: Id,
    variation_id: Type.Optional(Id),
    option_ids: Type.Optional(Type.Array(Id, { maxItems: 100 })),
    quantity: Type.Integer({ minimum: 1, maximum: 100 }),
    notes: Type.Optional(text(500)),
  },
  { additionalProperties: false },
);
export type NewOrderLine = Static<typeof NewOrderLine>;

const Address = Type.Object(
  {
    line1: text(200, { minLength: 1 }),
    house_number: Type.Optional(text(20)),
    entrance: Type.Optional(text(20)),
    floor: Type.Optional(text(20)),
    apartment: Type.Optional(text(20)),
    latitude: Type.Optional(Type.Number({ minimum: -90, maximum: 90 })),
    longitude: Type.Optional(Type.Number({ minimum: -180, maximum: 180 })),
    notes: Type.Optional(text(500)),
  },
  { additionalProperties: false },
);

export const fulfillmentTypes = ["pickup", "dine_in", "delivery"] as const;

export const Fulfillment = Type.Object(
  {
    type: OneOf(fulfillmentTypes),
    scheduled_at: Type.Optional(Type.String({ format: "date-time", description: "In the next 14 days" })),
    table: Type.Optional(text(50)),
    address: Type.Optional(Address),
    phone_number: Type.Optional(text(32)),
  },
  { additionalProperties: false, description: "Default pickup; delivery needs an address" },
);
export type Fulfillment = Static<typeof Fulfillment>;

/** What a placement says beside its lines; checkout takes the same. */
export const placementFields = {
  total_cents: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: "What the customer saw; a different total is refused, uncharged",
    }),
  ),
  metadata: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), { description: "Yours to use; at most 2 KiB of JSON" }),
  ),
  notes: Type.Optional(text(1000)),
  fulfillment: Type.Optional(Fulfillment),
};

export const NewOrder = Type.Object(
  { items: Type.Array(NewOrderLine, { minItems: 1, maxItems: 50 }), ...placementFields },
  { additionalProperties: false },
);
export type NewOrder = Static<typeof NewOrder>;

export const IdempotencyHeader = Type.Object({
  "idempotency-key": Type.Optional(
    Type.String({ description: "1 to 255 visible ASCII characters; yours alone" }),
  ),
});

export const paymentStatuses = [
  "paid",
  "partially_refunded",
  "refund_pending",
  "refunded",
  "refund_due",
] as const;

export const OrderItem = Type.Object({
  id: Id,
  product_id: Id,
  variation_id: Nullable(Id),
  product_name: Type.String(),
  variation_name: Nullable(Type.String()),
  options: Type.Array(Type.Object({ id: Id, name: Type.String(), price_change_cents: Type.Integer() })),
  quantity: Type.Integer(),
  unit_price_cents: Cents,
  total_cents: Cents,
  notes: Nullable(Type.String()),
});
export type OrderItem = Static<typeof OrderItem>;

export const Order = Type.Object(
  {
    id: Id,
    number: Type.Integer({ minimum: 1, maximum: 999, description: "Called across the counter" }),
    customer_id: Id,
    status: OneOf(statuses),
    payment_status: OneOf(paymentStatuses),
    total_cents: Cents,
    items: Type.Array(OrderItem),
    fulfillment: Fulfillment,
    metadata: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
    notes: Nullable(Type.String()),
    created_at: Time,
    updated_at: Time,
  },
  { $id: "Order", description: "Names and prices are as they were when it was placed" },
);
export type Order = Static<typeof Order>;

const SalesFigures = {
  orders: Type.Integer({ description: "Those that were not canceled" }),
  canceled: Type.Integer(),
  revenue_cents: Type.Integer({
    description: "The totals of those that were not canceled, before partial refunds",
  }),
};

const Seconds = Type.Union([Type.Number(), Type.Null()], {
  description: "Null when no order has left this status",
});

export const Sales = Type.Object({
  from: Time,
  to: Time,
  ...SalesFigures,
  refunded_cents: Type.Integer({
    description: "Given back, or on the way back, for what revenue_cents counts",
  }),
  average_seconds: Type.Object(
    { waiting: Seconds, preparation: Seconds, ready: Seconds },
    { description: "How long orders stayed in each status, of those moved on in this span" },
  ),
  hours: Type.Array(Type.Object({ starts_at: Time, ...SalesFigures }), {
    description: "Hours in which something was sold, in order",
  }),
});
export type Sales = Static<typeof Sales>;

export const StatusChange = Type.Object({ status: OneOf(statuses) }, { additionalProperties: false });

export const Cancellation = Type.Object(
  { reason: Type.Optional(text(500, { minLength: 1, pattern: "\\S" })) },
  { additionalProperties: false },
);

/** Checkout of a cart: a placement whose lines are the cart's. */
export const Checkout = Type.Object(placementFields, { additionalProperties: false });
