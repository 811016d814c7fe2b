import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Cents, Id, Nullable, nonBlankText, StringEnum, Time } from "../http/schemas.ts";
import { ProviderResponse } from "../payments/schemas.ts";

export const refundStatuses = ["pending", "succeeded", "failed", "due"] as const;
export const RefundStatus = StringEnum(refundStatuses, {
  title: "RefundStatus",
  description:
    "pending: being sent. failed: the provider does not know the charge. due: staff must refund it by hand",
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
      Type.Integer({ minimum: 1, maximum: 2_147_483_647, description: "Default: everything that is left" }),
    ),
    reason: nonBlankText(500),
  },
  {
    title: "RefundInput",
    additionalProperties: false,
    examples: [{ amount_cents: 450, reason: "One latte was cold" }],
  },
);

export const Cancellation = Type.Object(
  { reason: Type.Optional(nonBlankText(500)) },
  { title: "Cancellation", additionalProperties: false, examples: [{ reason: "We are out of milk" }] },
);
