import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Id, JsonObject, Nullable, StringEnum, Time } from "../http/schemas.ts";

// A copy, because `orders` imports this folder. The OpenAPI document rejects two different schemas of one title.
const OrderStatus = StringEnum(["waiting", "preparation", "ready", "delivered", "canceled"], {
  title: "OrderStatus",
});
export type OrderStatus = Static<typeof OrderStatus>;

export const notificationStatuses = ["pending", "sent", "failed"] as const;
export const NotificationStatus = StringEnum(notificationStatuses, {
  title: "NotificationStatus",
  description: "failed: the last attempt failed; more may follow",
});
export type NotificationStatus = Static<typeof NotificationStatus>;

export const Notification = Type.Object(
  {
    id: Id,
    order_id: Id,
    order_status: OrderStatus,
    status: NotificationStatus,
    attempts: Type.Integer(),
    response: Nullable({
      ...JsonObject,
      description: "The provider's last response, or the error; null before the first attempt",
    }),
    created_at: Time,
    sent_at: Nullable(Time),
  },
  { title: "Notification" },
);
export type Notification = Static<typeof Notification>;
