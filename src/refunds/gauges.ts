import { Gauge } from "prom-client";
import type { Pool } from "../db/pool.ts";
import { countImbalances, countRefundsDue } from "./queries.ts";

const refundsDue = new Gauge({ name: "refunds_due", help: "Refunds that a person must make" });
const outOfBalance = new Gauge({
  name: "payments_out_of_balance",
  help: "Charges without an order, and orders of the last day without a charge",
});

export async function collectRefundGauges(sql: Pool) {
  const [due, imbalances] = await Promise.all([countRefundsDue(sql), countImbalances(sql)]);
  refundsDue.set(due);
  outOfBalance.set(imbalances);
}
