// The reconciler: gives back every charge that no order came of, and sends every refund until it is through.
import type { Logger } from "pino";
import type { Settings } from "../config.ts";
import type { Pool } from "../db/pool.ts";
import { insertEvent } from "../events/queries.ts";
import { refunds as refundsTried } from "../observability/metrics.ts";
import { findOrder, lockOrder } from "../orders/queries.ts";
import {
  type Endpoint,
  type HttpOutcome,
  isSuccess,
  openEndpoint,
  postJson,
  toStoredResponse,
} from "../provider-client/post-json.ts";
import {
  balancePayment,
  claimOverduePayments,
  endRefund,
  leaseRefunds,
  lockCharged,
  postponeRefund,
  type RefundToSend,
} from "./queries.ts";

/** How often it looks. */
const roundMs = 1_000;
/** After its budget a placement only has to commit; what has not by then is over. */
const commitMarginSeconds = 10;
/** Refunds that one worker has under way at once. */
const refundsAtOnce = 50;
/** Of one call; less than the lease. */
const refundTimeoutMs = 10_000;
const dayInSeconds = 24 * 60 * 60;

/**
 * Settles in rounds until it is stopped. Any number of instances may: a row has one taker at a time.
 * A failing round is logged and the next one comes.
 */
export function startSettling(
  sql: Pool,
  { paymentRefundUrl, paymentTimeoutMs }: Pick<Settings, "paymentRefundUrl" | "paymentTimeoutMs">,
  log: Logger,
) {
  const endpoint = paymentRefundUrl ? openEndpoint(paymentRefundUrl) : undefined;
  const quietSeconds = paymentTimeoutMs / 1000 + commitMarginSeconds;
  let stopped = false;
  let wake = () => {};

  async function send(refund: RefundToSend) {
    const { id, payment_id, order_id, amount_cents, age } = refund;
    const delivery = endpoint ? await ask(endpoint, refund) : noEndpoint;
    const response = toStoredResponse(delivery);
    const verdict = endpoint ? judge(delivery, age) : "due";
    log.info({ refund_id: id, payment_id, order_id, verdict, response }, "refund");
    refundsTried.inc({ outcome: verdict });
    if (verdict === "again") return postponeRefund(sql, id, pauseSeconds(age), response);
    await sql.begin(async (tx) => {
      // First the order, then the payment, as everybody does who takes both.
      if (order_id) await lockOrder(tx, order_id);
      // The provider had not seen the charge yet: it has said since that it made it.
      const early = verdict === "failed" && (await lockCharged(tx, payment_id));
      if (early && age <= dayInSeconds) return postponeRefund(tx, id, pauseSeconds(age), response);
      if (!(await endRefund(tx, id, early ? "due" : verdict, response))) return;
      await balancePayment(tx, payment_id);
      if (verdict !== "succeeded") return;
      const order = order_id && (await findOrder(tx, order_id));
      const data = { ...order, refund_id: id, payment_id, amount_cents };
      await insertEvent(tx, { type: "payment.refunded", subject_id: order_id ?? payment_id, data });
    });
  }

  const ask = (endpoint: Endpoint, { id, payment_id, amount_cents }: RefundToSend) =>
    postJson(endpoint, { payment_id, value: amount_cents }, { "idempotency-key": id }, refundTimeoutMs);

  async function round() {
    for (const payment of await claimOverduePayments(sql, quietSeconds))
      log.warn(payment, "a charge without an order is given back");
    for (let batch = refundsAtOnce; batch === refundsAtOnce && !stopped; ) {
      const refunds = await leaseRefunds(sql, refundsAtOnce);
      // One that fails, as when the database is away, doesn't leave the others behind; its lease runs out.
      await Promise.all(
        refunds.map((refund) =>
          send(refund).catch((error) =>
            log.error({ err: error, refund_id: refund.id }, "a refund was not settled"),
          ),
        ),
      );
      batch = refunds.length;
    }
  }

  async function settle() {
    while (!stopped) {
      await round().catch((error) =>
        log.error({ err: error }, "settling failed; the next round tries again"),
      );
      if (!stopped)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, roundMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
    }
  }

  const settled = settle();
  return {
    /** Waits for the calls that are under way. */
    stop: async () => {
      stopped = true;
      wake();
      await settled;
      await endpoint?.pool.close();
    },
  };
}

const noEndpoint: HttpOutcome = {
  result: "notSent",
  refused: false,
  error: "There is no PAYMENT_REFUND_URL",
};

/** 404: the provider never saw the charge, so there is nothing to give back. */
function judge(delivery: HttpOutcome, age: number): "succeeded" | "failed" | "again" | "due" {
  if (delivery.result === "response") {
    if (isSuccess(delivery.response)) return "succeeded";
    if (delivery.response.status === 404) return "failed";
  }
  return age > dayInSeconds ? "due" : "again";
}

/** 2 s at first, then a fifth of its age: with the call and a round, at most 30 s in the first ten minutes. */
const pauseSeconds = (age: number) => Math.min(Math.max(2, age / 5), age < 600 ? 15 : 600);
