import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Id, JsonObject, StringEnum, Time } from "../http/schemas.ts";

export const orderEventTypes = [
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

export const eventProperties = {
  id: Id,
  seq: Type.Integer({
    minimum: 1,
    format: "int64",
    description: "The position of the event, without gaps or repeats",
  }),
  created_at: Time,
};

export const Event = Type.Object(
  {
    ...eventProperties,
    type: StringEnum(eventTypes, { title: "EventType" }),
    subject_id: Id,
    data: {
      ...JsonObject,
      description:
        "For an event of an order, the order and its change as in `ChangedOrder`; otherwise the ids concerned",
    },
  },
  { title: "Event" },
);
export type Event = Static<typeof Event>;
