import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Cents, Id, JsonObject, Nullable, StringEnum, Time, text } from "../http/schemas.ts";
import { statuses } from "./status.ts";

export const OrderStatus = StringEnum(statuses, { title: "OrderStatus" });

export const OrderLineInput = Type.Object(
  {
    product_id: Id,
    variation_id: Type.Optional(Id),
    option_ids: Type.Optional(Type.Array(Id, { maxItems: 100 })),
    quantity: Type.Integer({ minimum: 1, maximum: 100 }),
    notes: Type.Optional(text(500)),
  },
  {
    title: "OrderLineInput",
    additionalProperties: false,
    examples: [
      {
        product_id: "0197f3c2-8a10-7c3e-9a51-2f6b7d0e4a11",
        variation_id: "0197f3c2-8a10-7c3e-9a51-2f6b7d0e4a12",
        quantity: 2,
        notes: "extra hot",
      },
    ],
  },
);
export type OrderLineInput = Static<typeof OrderLineInput>;

const Address = Type.Object(
  {
    line1: text(200, { minLength: 1 }),
    house_number: Type.Optional(text(20)),
    entrance: Type.Optional(text(20)),
    floor: Type.Optional(text(20)),
    apartment: Type.Optional(text(20)),
    latitude: Type.Optional(Type.Number({ minimum: -90, maximum: 90, format: "double" })),
    longitude: Type.Optional(Type.Number({ minimum: -180, maximum: 180, format: "double" })),
    notes: Type.Optional(text(500)),
  },
  { title: "Address", additionalProperties: false },
);

const fulfillmentTypes = ["pickup", "dine_in", "delivery"] as const;

export const Fulfillment = Type.Object(
  {
    type: StringEnum(fulfillmentTypes, { title: "FulfillmentType" }),
    scheduled_at: Type.Optional(Type.String({ format: "date-time", description: "In the next 14 days" })),
    table: Type.Optional(text(50)),
    address: Type.Optional(Address),
    phone_number: Type.Optional(text(32)),
  },
  {
    title: "Fulfillment",
    additionalProperties: false,
    description: "Default pickup; a delivery needs an address",
  },
);
export type Fulfillment = Static<typeof Fulfillment>;

export const paymentStatuses = [
  "paid",
  "partially_refunded",
  "refund_pending",
  "refunded",
  "refund_due",
] as const;

export const ChosenOption = Type.Object(
  { id: Id, name: Type.String(), price_change_cents: Type.Integer() },
  { title: "ChosenOption" },
);

export const OrderItem = Type.Object(
  {
    id: Id,
    product_id: Id,
    variation_id: Nullable(Id),
    product_name: Type.String(),
    variation_name: Nullable(Type.String()),
    options: Type.Array(ChosenOption),
    quantity: Type.Integer(),
    unit_price_cents: Cents,
    total_cents: Cents,
    notes: Nullable(Type.String()),
  },
  { title: "OrderItem" },
);
export type OrderItem = Static<typeof OrderItem>;

export const Order = Type.Object(
  {
    id: Id,
    number: Type.Integer({ minimum: 1, maximum: 999, description: "The short number that staff call out" }),
    customer_id: Id,
    status: OrderStatus,
    payment_status: StringEnum(paymentStatuses, { title: "OrderPaymentStatus" }),
    total_cents: Cents,
    items: Type.Array(OrderItem),
    fulfillment: Fulfillment,
    metadata: Nullable(JsonObject),
    notes: Nullable(Type.String()),
    created_at: Time,
    updated_at: Time,
  },
  {
    title: "Order",
    description: "Names and prices are those at the time of the order",
    examples: [
      {
        id: "0197f3d0-1b2c-7d3e-8f4a-5b6c7d8e9f01",
        number: 42,
        customer_id: "0197f3c0-0a1b-7c2d-8e3f-4a5b6c7d8e9f",
        status: "waiting",
        payment_status: "paid",
        total_cents: 900,
        items: [
          {
            id: "0197f3d0-1b2c-7d3e-8f4a-5b6c7d8e9f02",
            product_id: "0197f3c2-8a10-7c3e-9a51-2f6b7d0e4a11",
            variation_id: "0197f3c2-8a10-7c3e-9a51-2f6b7d0e4a12",
            product_name: "Latte",
            variation_name: "Pumpkin Spice",
            options: [],
            quantity: 2,
            unit_price_cents: 450,
            total_cents: 900,
            notes: null,
          },
        ],
        fulfillment: { type: "dine_in", table: "4" },
        metadata: null,
        notes: null,
        created_at: "2026-07-01T08:15:00.000Z",
        updated_at: "2026-07-01T08:15:00.000Z",
      },
    ],
  },
);
export type Order = Static<typeof Order>;

const SalesFigures = {
  orders: Type.Integer({ description: "Orders that were not canceled" }),
  canceled: Type.Integer(),
  revenue_cents: Type.Integer({
    format: "int64",
    description: "Totals of the orders that were not canceled, before partial refunds",
  }),
};

const Seconds = Nullable(Type.Number({ format: "double", description: "Null if no order left this status" }));

const SecondsInStatus = Type.Object(
  { waiting: Seconds, preparation: Seconds, ready: Seconds },
  {
    title: "SecondsInStatus",
    description: "Average time in each status of the orders that left it in this span",
  },
);

const HourOfSales = Type.Object({ starts_at: Time, ...SalesFigures }, { title: "HourOfSales" });

export const Sales = Type.Object(
  {
    from: Time,
    to: Time,
    ...SalesFigures,
    refunded_cents: Type.Integer({
      format: "int64",
      description: "Refunded or pending refunds of the orders in revenue_cents",
    }),
    average_seconds: SecondsInStatus,
    hours: Type.Array(HourOfSales, { description: "Hours with orders, oldest first" }),
  },
  { title: "Sales" },
);
export type Sales = Static<typeof Sales>;

export const StatusChange = Type.Object(
  { status: OrderStatus },
  { title: "StatusChange", additionalProperties: false, examples: [{ status: "preparation" }] },
);
