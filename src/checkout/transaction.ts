import { findMenuVersion } from "../catalog/queries.ts";
import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import { insertEvent } from "../events/queries.ts";
import { ApiError } from "../http/errors.ts";
import { priceOrder } from "../orders/pricing.ts";
import { findOrder, insertOrder, insertOrderItems } from "../orders/queries.ts";
import type { Order, OrderLineInput } from "../orders/schemas.ts";
import { chargeCustomer, reconciliationPending } from "../payments/charge.ts";
import { findEarlierPayment, insertFreePayment, markPaymentSucceeded } from "../payments/queries.ts";
import { findRole } from "../users/queries.ts";
import type { CheckoutContext } from "./context.ts";
import { advisoryLockKey } from "./idempotency.ts";
import { normalizeFulfillment, type OrderRequest } from "./order-request.ts";
import { tryAdvisoryLock } from "./queries.ts";
import { accountDeleted, duplicateInProgress, isSameRequest, keyReused } from "./replay.ts";

export interface PlacedOrder {
  order: Order;
  replayed: boolean;
}

/** Until charged it holds no row lock and no transaction id: a slow provider delays no vacuum or request. */
export async function placeInTransaction(
  tx: Db,
  context: CheckoutContext,
  request: OrderRequest,
  onCharged: (paymentId: string) => void,
): Promise<PlacedOrder> {
  const { customerId, order: input, keyHash, requestHash, requestId } = request;
  const source = Array.isArray(request.lines) ? undefined : request.lines;

  // 1. Key. The lock is tried before the payment is read, so that its next holder sees the order of the last one.
  const [locked, earlier, role, menuVersion, items] = await Promise.all([
    keyHash ? tryAdvisoryLock(tx, advisoryLockKey(customerId, keyHash)) : true,
    keyHash ? findEarlierPayment(tx, customerId, keyHash) : undefined,
    findRole(tx, customerId),
    findMenuVersion(tx),
    Array.isArray(request.lines) ? request.lines : request.lines.reserve(tx),
  ]);
  if (!role) throw accountDeleted();
  if (earlier?.order_id) {
    if (!isSameRequest(earlier, request)) throw keyReused();
    return { order: (await findOrder(tx, earlier.order_id))!, replayed: true };
  }
  if (!locked) throw duplicateInProgress();
  if (earlier && !isSameRequest(earlier, request)) throw keyReused();

  const fulfillment = normalizeFulfillment(input.fulfillment);
  if (items.length === 0) throw new ApiError("cart_empty", "The cart is empty");
  const products = await context.products.find(tx, menuVersion, productIds(items));
  const { lines, total } = priceOrder(items, products, input.total_cents);

  // 3. Charge. A retry keeps its payment id, unless that payment is being refunded or had another price.
  if (earlier && (earlier.status === "refund_pending" || earlier.amount_cents !== total))
    throw reconciliationPending();
  const payment = {
    id: earlier?.id ?? newId(),
    customer_id: customerId,
    amount_cents: total,
    key_hash: keyHash,
    request_hash: requestHash,
  };
  const response =
    total === 0 ? null : await chargeCustomer(context, payment, { again: !!earlier, requestId });
  if (response) onCharged(payment.id);

  // 4. Insert. The payment is taken by compare-and-set: if its refund has begun, the order is rolled back.
  const order = await insertOrder(tx, {
    customer_id: customerId,
    total_cents: total,
    lines,
    fulfillment,
    metadata: input.metadata ?? null,
    notes: input.notes ?? null,
  });
  const [paid] = await Promise.all([
    response
      ? markPaymentSucceeded(tx, payment.id, order.id, response)
      : insertFreePayment(tx, payment, order.id),
    insertOrderItems(tx, order),
    insertEvent(tx, {
      type: "order.created",
      subject_id: order.id,
      data: order,
      created_at: order.created_at,
    }),
    source?.removePurchased(tx),
  ]);
  if (!paid) throw reconciliationPending();
  return { order, replayed: false };
}

const productIds = (items: OrderLineInput[]) => [
  ...new Set(items.map((item) => item.product_id.toLowerCase())),
];
