import type { FastifyBaseLogger } from "fastify";
import { Counter, Histogram } from "prom-client";
import { ApiError } from "../http/errors.ts";
import type { Breaker } from "../provider-client/circuit-breaker.ts";
import type { PaymentClient } from "./client.ts";
import type { Ledger } from "./ledger.ts";
import { markPaymentUnpaid, type NewPayment, type ProviderResponse, reopenPayment } from "./queries.ts";

const payments = new Counter({
  name: "payments_total",
  help: "Charges by outcome",
  labelNames: ["outcome"],
});
// Present from the start, so that a rate over the first charge is right.
for (const outcome of ["succeeded", "failed", "unknown"]) payments.inc({ outcome }, 0);

const paymentDuration = new Histogram({
  name: "payment_duration_seconds",
  help: "Duration of a charge, all its attempts together",
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});

export interface Till {
  /** On connections of its own, so that it is written while the placement's transaction stays untouched. */
  ledger: Ledger;
  provider: PaymentClient;
  breaker: Breaker;
  log: FastifyBaseLogger;
}

/**
 * Charges the customer: the ledger's row is committed first, then the provider is called. Gives the provider's
 * response to a charge that succeeded, still `pending` in the ledger: the order's transaction makes it `succeeded`.
 * Throws `payment_failed` or `payment_unconfirmed`, with the ledger saying so, `payment_provider_unavailable` while
 * the breaker is open, and `idempotency_in_progress` if an earlier charge, taken up again, is being settled.
 */
export async function chargeCustomer(
  till: Till,
  payment: NewPayment,
  { again, requestId: request_id }: { again: boolean; requestId: string },
): Promise<ProviderResponse> {
  const pass = till.breaker.enter();
  const started = performance.now();
  try {
    if (!again) await till.ledger.enter(payment);
    else if (!(await reopenPayment(till.ledger.sql, payment.id))) throw beingSettled();
  } catch (error) {
    pass.unused();
    throw error;
  }

  const charge = await till.provider.charge(payment.id, payment.amount_cents, started);
  const { outcome, response } = charge;
  const ms = Math.round(performance.now() - started);
  payments.inc({ outcome });
  paymentDuration.observe(ms / 1_000);
  const { id: payment_id, amount_cents } = payment;
  till.log.info({ request_id, payment_id, amount_cents, outcome, response, ms }, "charge");
  if (outcome === "succeeded" || charge.declined) pass.answered();
  else pass.failed();
  if (outcome === "succeeded") return response;

  await markPaymentUnpaid(till.ledger.sql, payment.id, outcome, response).catch((error) =>
    // The customer's answer is true all the same; the row stays pending, and pending rows are settled.
    till.log.error(
      { err: error, request_id, payment_id, outcome },
      "the ledger did not take the outcome of a charge",
    ),
  );
  throw new ApiError(
    outcome === "failed" ? "payment_failed" : "payment_unconfirmed",
    `Payment failed: ${charge.provider.message}`,
    { members: { provider: charge.provider } },
  );
}

export const beingSettled = () =>
  new ApiError("idempotency_in_progress", "An earlier try with this key is still being settled", {
    retryAfter: 1,
  });
