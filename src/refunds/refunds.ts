import type { Db } from "../db/pool.ts";
import { ApiError } from "../http/errors.ts";
import { balancePayment, findRefundable, insertRefund, lockPaymentOfOrder } from "./queries.ts";

/**
 * Asks for a refund of an order's payment; gives the refund's id. The order's row must be taken already: so two of them
 * take turns, and together never exceed the payment. `amount` in cents, undefined for all that is left. Throws
 * `refund_exceeds_payment` if there isn't as much left, or nothing at all.
 */
export async function requestRefund(
  tx: Db,
  orderId: string,
  amount: number | undefined,
  reason: string,
): Promise<string> {
  const payment = await lockPaymentOfOrder(tx, orderId);
  const left = await findRefundable(tx, payment.id);
  const amount_cents = amount ?? left;
  if (left === 0 || amount_cents > left)
    throw new ApiError("refund_exceeds_payment", `Of the payment ${left} cents are left to give back`);
  const id = await insertRefund(tx, { payment_id: payment.id, amount_cents, reason });
  await balancePayment(tx, payment.id);
  return id;
}

/** Gives back all that is left of an order's payment, which may be nothing. The order's row must be taken already. */
export async function refundRest(tx: Db, orderId: string, reason: string) {
  const payment = await lockPaymentOfOrder(tx, orderId);
  const amount_cents = await findRefundable(tx, payment.id);
  if (amount_cents > 0) await insertRefund(tx, { payment_id: payment.id, amount_cents, reason });
  await balancePayment(tx, payment.id);
}
