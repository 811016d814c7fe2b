import { Type } from "@fastify/type-provider-typebox";
import { eventProperties, orderEventTypes } from "../events/schemas.ts";
import { Id, Nullable, StringEnum } from "../http/schemas.ts";
import { Order, OrderStatus } from "../orders/schemas.ts";

const ChangedOrder = Type.Object(
  {
    ...Order.properties,
    from: Type.Optional(OrderStatus),
    to: Type.Optional(OrderStatus),
    reason: Type.Optional(
      Nullable(Type.String({ description: "For `order.canceled`: the reason, if one was given" })),
    ),
    refund_id: Type.Optional(Id),
    payment_id: Type.Optional(Id),
    amount_cents: Type.Optional(
      Type.Integer({ minimum: 0, description: "For `payment.refunded`: the amount refunded" }),
    ),
  },
  {
    title: "ChangedOrder",
    description:
      "The order. `from` and `to` are set when its status changed, `reason` when it was canceled. The refund, its " +
      "payment and the amount are set when it was refunded",
  },
);

export const OrderEvent = Type.Object(
  {
    ...eventProperties,
    type: StringEnum(orderEventTypes, { title: "OrderEventType" }),
    subject_id: Type.String({ format: "uuid", description: "The order" }),
    data: ChangedOrder,
  },
  { title: "OrderEvent" },
);

export const Board = Type.Object(
  { orders: Type.Array(Order, { description: "The unfinished orders, oldest first" }) },
  { title: "Board" },
);
