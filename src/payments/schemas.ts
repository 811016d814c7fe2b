import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Cents, Id, JsonObject, Nullable, OneOf, Time, visibleText } from "../http/schemas.ts";

export const paymentStatuses = [
  "pending",
  "succeeded",
  "failed",
  "unknown",
  "refund_pending",
  "refunded",
  "refund_due",
] as const;
export const PaymentStatus = OneOf(paymentStatuses, { title: "PaymentStatus" });
export type PaymentStatus = Static<typeof PaymentStatus>;

const ProviderResponse = Nullable({
  ...JsonObject,
  description: "The provider's last answer (status, headers, body), or the error; null before there is one",
});

export const Payment = Type.Object(
  {
    id: Type.String({ format: "uuid", description: "The provider's Idempotency-Key" }),
    order_id: Nullable(Id),
    customer_id: Id,
    amount_cents: Cents,
    refunded_cents: Cents,
    status: PaymentStatus,
    response: ProviderResponse,
    created_at: Time,
    updated_at: Time,
  },
  { title: "Payment" },
);
export type Payment = Static<typeof Payment>;

export const refundStatuses = ["pending", "succeeded", "failed", "due"] as const;
export const RefundStatus = OneOf(refundStatuses, {
  title: "RefundStatus",
  description:
    "pending: being sent. failed: the provider knows of no such charge. due: a human has to give it back",
});
export type RefundStatus = Static<typeof RefundStatus>;

export const Refund = Type.Object(
  {
    id: Type.String({ format: "uuid", description: "The provider's Idempotency-Key" }),
    payment_id: Id,
    order_id: Nullable(Id),
    amount_cents: Cents,
    status: RefundStatus,
    reason: Type.String(),
    attempts: Type.Integer(),
    response: ProviderResponse,
    created_at: Time,
    updated_at: Time,
  },
  { title: "Refund" },
);
export type Refund = Static<typeof Refund>;

export const RefundInput = Type.Object(
  {
    amount_cents: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 2_147_483_647, description: "Default: all that is left" }),
    ),
    reason: visibleText(500),
  },
  {
    title: "RefundInput",
    additionalProperties: false,
    examples: [{ amount_cents: 450, reason: "One latte was cold" }],
  },
);
