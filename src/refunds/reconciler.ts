// The reconciler requests a refund for each charge whose checkout ended without an order.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Pool } from "../db/pool.ts";
import { claimStalePayments } from "../payments/queries.ts";
import { insertRefund } from "./queries.ts";

const intervalMs = 1_000;
/** After its payment budget a checkout only commits, which takes less. */
const commitMarginSeconds = 10;

/** Reconciles each second until it is stopped. Several workers may do so at once: a row lock lets one claim a charge. */
export function startReconciler(sql: Pool, paymentTimeoutMs: number, log: Logger) {
  const staleAfterSeconds = paymentTimeoutMs / 1000 + commitMarginSeconds;
  const stopping = new AbortController();

  async function run() {
    while (!stopping.signal.aborted) {
      try {
        for (const { id, amount_cents } of await reconcile(sql, staleAfterSeconds))
          log.warn({ payment_id: id, amount_cents }, "refunding a charge without an order");
      } catch (error) {
        log.error({ err: error }, "reconciling failed, trying again");
      }
      await sleep(intervalMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  const stopped = run();
  return {
    stop: () => {
      stopping.abort();
      return stopped;
    },
  };
}

/** Claims the charges without an order that are stale, and inserts a refund for each. Returns the charges. */
export function reconcile(sql: Pool, staleAfterSeconds: number) {
  return sql.begin(async (tx) => {
    const payments = await claimStalePayments(tx, staleAfterSeconds);
    await Promise.all(
      payments.map(({ id, amount_cents }) =>
        insertRefund(tx, { payment_id: id, amount_cents, reason: "The order was never made" }),
      ),
    );
    return [...payments];
  });
}
