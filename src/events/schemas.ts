import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Id, Time } from "../schemas.ts";

/** An event as every sink and stream tells it. */
export const Event = Type.Object(
  {
    id: Id,
    seq: Type.Integer({ minimum: 1, description: "Without gaps or repeats, in the order of what happened" }),
    type: Type.String(),
    subject_id: Id,
    created_at: Time,
    data: Type.Unknown({
      description: "Of an order's event the order, with from and to when its status changed",
    }),
  },
  { $id: "Event" },
);
export type Event = Static<typeof Event>;
