import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Id, JsonObject, Nullable, StringEnum, Time } from "../http/schemas.ts";
import { Order, OrderStatus } from "../orders/schemas.ts";

const ChangedOrder = Type.Object(
  {
    ...Order.properties,
    from: Type.Optional(OrderStatus),
    to: Type.Optional(OrderStatus),
    reason: Type.Optional(Nullable(Type.String({ description: "Of `order.canceled`: why, if it was said" }))),
    refund_id: Type.Optional(Id),
    payment_id: Type.Optional(Id),
    amount_cents: Type.Optional(
      Type.Integer({ minimum: 0, description: "Of `payment.refunded`: what went back" }),
    ),
  },
  {
    title: "ChangedOrder",
    description:
      "The order, with from and to when its status has changed, a reason when it was canceled, and the refund, its " +
      "payment and amount when money went back",
  },
);

const orderEventTypes = [
  "order.created",
  "order.status_changed",
  "order.canceled",
  "payment.refunded",
] as const;
const eventTypes = [
  ...orderEventTypes,
  "user.created",
  "user.verified",
  "cart.updated",
  "menu.changed",
] as const;
export type EventType = (typeof eventTypes)[number];

const told = {
  id: Id,
  seq: Type.Integer({
    minimum: 1,
    format: "int64",
    description: "Without gaps or repeats, in the order of what happened",
  }),
  created_at: Time,
};

/** What a stream of orders tells. */
export const OrderEvent = Type.Object(
  {
    ...told,
    type: StringEnum(orderEventTypes, { title: "OrderEventType" }),
    subject_id: Type.String({ format: "uuid", description: "The order" }),
    data: ChangedOrder,
  },
  { title: "OrderEvent" },
);

/** What the board's stream begins with. */
export const Board = Type.Object(
  { orders: Type.Array(Order, { description: "Those not finished, oldest first" }) },
  { title: "Board" },
);

/** An event as every sink tells it: of an order, or of something else. */
export const Event = Type.Object(
  {
    ...told,
    type: StringEnum(eventTypes, { title: "EventType" }),
    subject_id: Id,
    data: {
      ...JsonObject,
      description:
        "Of an order's event the order and what has changed, as in `ChangedOrder`; else the ids concerned",
    },
  },
  { title: "Event" },
);
export type Event = Static<typeof Event>;
