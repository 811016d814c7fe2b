import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { statuses } from "../orders/status.ts";
import { Id, Nullable, OneOf, Time } from "../schemas.ts";

export const notificationStatuses = ["pending", "sent", "failed"] as const;
export type NotificationStatus = (typeof notificationStatuses)[number];

export const Notification = Type.Object(
  {
    id: Id,
    order_id: Id,
    order_status: OneOf(statuses),
    status: OneOf(notificationStatuses, { description: "failed: the last try failed; more may follow" }),
    attempts: Type.Integer(),
    response: Type.Unknown({
      description: "The provider's last answer, or the error; null before the first try",
    }),
    created_at: Time,
    sent_at: Nullable(Time),
  },
  { $id: "Notification" },
);
export type Notification = Static<typeof Notification>;
