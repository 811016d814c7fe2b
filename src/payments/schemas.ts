import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Cents, Id, Nullable, OneOf, Time, text } from "../schemas.ts";

export const paymentStatuses = [
  "pending",
  "succeeded",
  "failed",
  "unknown",
  "refund_pending",
  "refunded",
  "refund_due",
] as const;
export type PaymentStatus = (typeof paymentStatuses)[number];

export const Payment = Type.Object(
  {
    id: Type.String({ format: "uuid", description: "The provider's Idempotency-Key" }),
    order_id: Nullable(Id),
    customer_id: Id,
    amount_cents: Cents,
    refunded_cents: Cents,
    status: OneOf(paymentStatuses),
    response: Type.Unknown({
      description: "The provider's last answer, or the error; null before there is one",
    }),
    created_at: Time,
    updated_at: Time,
  },
  { $id: "Payment" },
);
export type Payment = Static<typeof Payment>;

export const refundStatuses = ["pending", "succeeded", "failed", "due"] as const;
export type RefundStatus = (typeof refundStatuses)[number];

export const Refund = Type.Object(
  {
    id: Type.String({ format: "uuid", description: "The provider's Idempotency-Key" }),
    payment_id: Id,
    order_id: Nullable(Id),
    amount_cents: Cents,
    status: OneOf(refundStatuses, {
      description:
        "pending: being sent. failed: the provider knows of no such charge. due: a human has to give it back",
    }),
    reason: Type.String(),
    attempts: Type.Integer(),
    response: Type.Unknown({
      description: "The provider's last answer, or the error; null before there is one",
    }),
    created_at: Time,
    updated_at: Time,
  },
  { $id: "Refund" },
);
export type Refund = Static<typeof Refund>;

export const NewRefund = Type.Object(
  {
    amount_cents: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 2_147_483_647, description: "Default: all that is left" }),
    ),
    reason: text(500, { minLength: 1, pattern: "\\S" }),
  },
  { additionalProperties: false },
);
