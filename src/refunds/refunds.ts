import type { Db } from "../db/pool.ts";
import { ApiError } from "../http/errors.ts";
import { setOrderPaymentStatus } from "../orders/queries.ts";
import type { Order } from "../orders/schemas.ts";
import { type LockedPayment, lockPaymentOfOrder, setPaymentStatus } from "../payments/queries.ts";
import type { PaymentStatus } from "../payments/schemas.ts";
import { insertRefund, type RefundSums, requeueRefund, sumRefunds } from "./queries.ts";
import type { Refund } from "./schemas.ts";

/**
 * Without `amount` (cents) it refunds the rest. The order's row must be locked: concurrent refunds must not exceed the
 * payment. Throws `refund_exceeds_payment` if less is left, or nothing.
 */
export async function requestRefund(
  tx: Db,
  orderId: string,
  amount: number | undefined,
  reason: string,
): Promise<string> {
  const payment = await lockPaymentOfOrder(tx, orderId);
  const left = await findRefundableCents(tx, payment);
  const amount_cents = amount ?? left;
  if (left === 0 || amount_cents > left)
    throw new ApiError("refund_exceeds_payment", `Only ${left} cents of the payment can still be refunded`);
  const id = await insertRefund(tx, { payment_id: payment.id, amount_cents, reason });
  await recomputePaymentStatus(tx, payment);
  return id;
}

/** Requests a refund of everything that is left of an order's payment, if anything. The order's row must be locked. */
export async function refundRest(tx: Db, orderId: string, reason: string) {
  const payment = await lockPaymentOfOrder(tx, orderId);
  const amount_cents = await findRefundableCents(tx, payment);
  if (amount_cents > 0) await insertRefund(tx, { payment_id: payment.id, amount_cents, reason });
  await recomputePaymentStatus(tx, payment);
}

/** The order's row must be locked. Throws `refund_exceeds_payment` if other refunds have taken its share since. */
export async function retryRefund(tx: Db, orderId: string, refund: Refund) {
  const payment = await lockPaymentOfOrder(tx, orderId);
  if (refund.status === "failed" && refund.amount_cents > (await findRefundableCents(tx, payment)))
    throw new ApiError("refund_exceeds_payment", "Other refunds have taken the rest of the payment");
  await requeueRefund(tx, refund.id);
  await recomputePaymentStatus(tx, payment);
}

async function findRefundableCents(tx: Db, payment: LockedPayment): Promise<number> {
  const { succeeded, pending, due } = await sumRefunds(tx, payment.id);
  return payment.amount_cents - succeeded - pending - due;
}

/** Derives the status of a locked payment, and of its order's payment, from the payment's refunds. */
export async function recomputePaymentStatus(tx: Db, payment: LockedPayment) {
  const sums = await sumRefunds(tx, payment.id);
  await setPaymentStatus(tx, payment.id, paymentStatus(payment, sums), sums.succeeded);
  if (payment.order_id) await setOrderPaymentStatus(tx, payment.order_id, orderPaymentStatus(payment, sums));
}

/** A payment that is refunded in part stays `succeeded`. Without an order and a refund there was no charge. */
function paymentStatus(
  { amount_cents, order_id }: LockedPayment,
  { succeeded, pending, due }: RefundSums,
): PaymentStatus {
  if (succeeded >= amount_cents) return "refunded";
  if (succeeded + pending + due >= amount_cents) return due > 0 ? "refund_due" : "refund_pending";
  return order_id ? "succeeded" : "failed";
}

function orderPaymentStatus(
  { amount_cents }: LockedPayment,
  { succeeded, pending, due }: RefundSums,
): Order["payment_status"] {
  if (due > 0) return "refund_due";
  if (pending > 0) return "refund_pending";
  if (succeeded >= amount_cents) return "refunded";
  return succeeded > 0 ? "partially_refunded" : "paid";
}
