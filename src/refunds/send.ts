import type { Logger } from "pino";
import { Counter } from "prom-client";
import type { Pool } from "../db/pool.ts";
import { insertEvent } from "../events/queries.ts";
import { findOrder, lockOrder } from "../orders/queries.ts";
import { lockPayment } from "../payments/queries.ts";
import {
  type HttpOutcome,
  isSuccess,
  openEndpoint,
  postJson,
  toStoredResponse,
} from "../provider-client/post-json.ts";
import { endRefund, type RefundToSend, recordRefundFault, startRefundAttempt } from "./queries.ts";
import { recomputePaymentStatus } from "./refunds.ts";

const outcomes = ["succeeded", "failed", "retry", "due"] as const;
type Outcome = (typeof outcomes)[number];

const refundsTotal = new Counter({
  name: "refunds_total",
  help: "Attempts to refund, by outcome",
  labelNames: ["outcome"],
});
// So that a rate sees the first one.
for (const outcome of outcomes) refundsTotal.inc({ outcome }, 0);

const timeoutMs = 10_000;

const noEndpoint: HttpOutcome = {
  result: "notSent",
  refused: false,
  error: "There is no PAYMENT_REFUND_URL",
};

/** Opens a client of the refund endpoint. Without a `url` every refund becomes due. */
export function openRefundSender(sql: Pool, url: string | undefined, log: Logger) {
  const endpoint = url ? openEndpoint(url) : undefined;

  return {
    /** Throws after a fault, so that graphile-worker repeats the job. After the last attempt the refund is due. */
    async send(refundId: string, isLastAttempt: boolean) {
      const refund = await startRefundAttempt(sql, refundId);
      if (!refund) return;
      const { payment_id, amount_cents: value } = refund;
      const http = endpoint
        ? await postJson(endpoint, { payment_id, value }, { "idempotency-key": refundId }, timeoutMs)
        : noEndpoint;
      const isLast = isLastAttempt || !endpoint;
      const outcome = await recordOutcome(sql, refund, http, isLast);
      const response = toStoredResponse(http);
      log.info({ refund_id: refundId, payment_id, order_id: refund.order_id, outcome, response }, "refund");
      refundsTotal.inc({ outcome });
      if (outcome === "retry")
        throw new Error(`refund ${refundId} failed: ${JSON.stringify(response).slice(0, 200)}`);
    },
    close: () => endpoint?.pool.close(),
  };
}

function recordOutcome(
  sql: Pool,
  refund: RefundToSend,
  http: HttpOutcome,
  isLast: boolean,
): Promise<Outcome> {
  const { id, payment_id, order_id, amount_cents } = refund;
  const response = toStoredResponse(http);
  return sql.begin(async (tx) => {
    // Each transaction that locks both locks the order before its payment.
    if (order_id) await lockOrder(tx, order_id);
    const payment = await lockPayment(tx, payment_id);
    const outcome = classify(http, payment.charged_late, isLast);
    if (outcome === "retry") {
      await recordRefundFault(tx, id, response);
      return outcome;
    }
    if (!(await endRefund(tx, id, outcome, response))) return outcome;
    await recomputePaymentStatus(tx, payment);
    if (outcome === "succeeded") {
      const order = order_id && (await findOrder(tx, order_id));
      const data = { ...order, refund_id: id, payment_id, amount_cents };
      await insertEvent(tx, { type: "payment.refunded", subject_id: order_id ?? payment_id, data });
    }
    return outcome;
  });
}

/** A 404 means that the provider never charged, unless it confirmed the charge after this refund was requested. */
function classify(http: HttpOutcome, chargedLate: boolean, isLast: boolean): Outcome {
  if (http.result === "response") {
    if (isSuccess(http.response)) return "succeeded";
    if (http.response.status === 404 && !chargedLate) return "failed";
  }
  return isLast ? "due" : "retry";
}
