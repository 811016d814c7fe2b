import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Cents, Id, JsonObject, Nullable, StringEnum, Time } from "../http/schemas.ts";

export const paymentStatuses = [
  "pending",
  "succeeded",
  "failed",
  "unknown",
  "refund_pending",
  "refunded",
  "refund_due",
] as const;
export const PaymentStatus = StringEnum(paymentStatuses, { title: "PaymentStatus" });
export type PaymentStatus = Static<typeof PaymentStatus>;

export const ProviderResponse = Nullable({
  ...JsonObject,
  description: "The provider's last response (status, headers, body) or the error; null before the first",
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
