import type { FastifyBaseLogger } from "fastify";
import { Counter, Histogram } from "prom-client";
import type { Pool } from "../db/pool.ts";
import { ApiError } from "../http/errors.ts";
import type { CircuitBreaker } from "../provider-client/circuit-breaker.ts";
import type { ProviderResponse } from "../provider-client/post-json.ts";
import type { PaymentClient } from "./client.ts";
import { markPaymentPendingAgain, type NewPayment, recordChargeFailure, recordPending } from "./queries.ts";

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

export interface PaymentContext {
  /** Connections of its own, so that the ledger commits while the order's transaction is open. */
  ledger: Pool;
  provider: PaymentClient;
  breaker: CircuitBreaker;
  log: FastifyBaseLogger;
}

/**
 * Commits a pending payment, then charges it; the order's transaction sets it to `succeeded`. Throws `payment_failed`,
 * `payment_unconfirmed`, `payment_provider_unavailable` (breaker open), `idempotency_in_progress` (reconciliation begun).
 */
export async function chargeCustomer(
  context: PaymentContext,
  payment: NewPayment,
  { again, requestId: request_id }: { again: boolean; requestId: string },
): Promise<ProviderResponse> {
  const permit = context.breaker.acquire();
  const started = performance.now();
  try {
    if (!again) await recordPending(context.ledger, payment);
    else if (!(await markPaymentPendingAgain(context.ledger, payment.id))) throw reconciliationPending();
  } catch (error) {
    permit.release();
    throw error;
  }

  const charge = await context.provider.charge(payment.id, payment.amount_cents, started);
  const { outcome, response } = charge;
  const ms = Math.round(performance.now() - started);
  payments.inc({ outcome });
  paymentDuration.observe(ms / 1_000);
  const { id: payment_id, amount_cents } = payment;
  context.log.info({ request_id, payment_id, amount_cents, outcome, response, ms }, "charge");
  if (outcome === "succeeded" || charge.declined) permit.success();
  else permit.failure();
  if (outcome === "succeeded") return response;

  await recordChargeFailure(context.ledger, payment.id, outcome, response).catch((error) =>
    // The response to the client stays true. The row stays pending, and the reconciler settles pending rows.
    context.log.error({ err: error, request_id, payment_id, outcome }, "charge outcome not recorded"),
  );
  throw new ApiError(
    outcome === "failed" ? "payment_failed" : "payment_unconfirmed",
    `Payment failed: ${charge.provider.message}`,
    { members: { provider: charge.provider } },
  );
}

export const reconciliationPending = () =>
  new ApiError("idempotency_in_progress", "The charge of an earlier attempt is still being settled", {
    retryAfter: 1,
  });
