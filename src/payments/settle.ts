// The reconciler: gives back every charge that no order came of, and sends every refund until it is through.
import type { Logger } from "pino";
import { Agent } from "undici";
import type { Settings } from "../config.ts";
import type { Pool } from "../db.ts";
import { insertEvent } from "../events/queries.ts";
import { type Delivery, isSuccess, postJson } from "./post-json.ts";
import {
  claimOverduePayments,
  leaseRefunds,
  markRefundDue,
  markRefundNeedless,
  markRefundSucceeded,
  postponeRefund,
  type RefundToSend,
} from "./refund-queries.ts";

/** How often it looks. */
const roundMs = 2_000;
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
  const agent = new Agent({ headersTimeout: refundTimeoutMs, bodyTimeout: refundTimeoutMs });
  const quietSeconds = paymentTimeoutMs / 1000 + commitMarginSeconds;
  let stopped = false;
  let wake = () => {};

  async function send(refund: RefundToSend, url: string) {
    const body = { payment_id: refund.payment_id, value: refund.amount_cents };
    const headers = { "idempotency-key": refund.id };
    const delivery = await postJson(agent, url, body, headers, AbortSignal.timeout(refundTimeoutMs));
    const response = delivery.result === "answered" ? delivery.answer : { error: delivery.error };
    const verdict = judge(delivery, refund);
    log.info({ refund_id: refund.id, payment_id: refund.payment_id, verdict, response }, "refund");
    if (verdict === "succeeded")
      await sql.begin(async (tx) => {
        if (!(await markRefundSucceeded(tx, refund.id, response))) return;
        const { id, payment_id, amount_cents } = refund;
        const data = { refund_id: id, payment_id, amount_cents };
        await insertEvent(tx, { type: "payment.refunded", subject_id: payment_id, data });
      });
    else if (verdict === "never charged") await markRefundNeedless(sql, refund.id, response);
    else if (verdict === "due") await markRefundDue(sql, refund.id, response);
    else await postponeRefund(sql, refund.id, pauseSeconds(refund.age), response);
  }

  async function round() {
    const claimed = await claimOverduePayments(sql, quietSeconds, paymentRefundUrl !== undefined);
    for (const payment of claimed) log.warn(payment, "a charge without an order is given back");
    if (!paymentRefundUrl) return;
    for (let batch = refundsAtOnce; batch === refundsAtOnce && !stopped; ) {
      const refunds = await leaseRefunds(sql, refundsAtOnce);
      await Promise.all(refunds.map((refund) => send(refund, paymentRefundUrl)));
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
      await agent.close();
    },
  };
}

function judge(delivery: Delivery, { age }: RefundToSend): "succeeded" | "never charged" | "again" | "due" {
  if (delivery.result === "answered") {
    if (isSuccess(delivery.answer)) return "succeeded";
    if (delivery.answer.status === 404) return "never charged";
  }
  return age > dayInSeconds ? "due" : "again";
}

/** 2 s at first, then a fifth of its age: with the call and a round, at most 30 s in the first ten minutes. */
const pauseSeconds = (age: number) => Math.min(Math.max(2, age / 5), age < 600 ? 15 : 600);
