import { ApiError } from "../http/errors.ts";
import { findOrder } from "../orders/queries.ts";
import { type EarlierPayment, findEarlierPayment } from "../payments/queries.ts";
import { findRole } from "../users/queries.ts";
import type { CheckoutContext } from "./context.ts";
import type { OrderRequest } from "./order-request.ts";

export const isSameRequest = (earlier: EarlierPayment, { requestHash }: OrderRequest) =>
  earlier.request_hash === requestHash.toString("hex");

/** Returns the key's order although no slot is free. Throws `idempotency_in_progress` for a duplicate, else `error`. */
export async function replayWhenSaturated({ sql }: CheckoutContext, request: OrderRequest, error: unknown) {
  const { customerId, keyHash } = request;
  if (!keyHash || !(error instanceof ApiError && error.code === "checkout_busy")) throw error;
  const [role, earlier] = await Promise.all([
    findRole(sql, customerId),
    findEarlierPayment(sql, customerId, keyHash),
  ]);
  if (!role) throw accountDeleted();
  if (!earlier) throw error;
  if (!isSameRequest(earlier, request)) throw keyReused();
  if (earlier.status === "pending") throw duplicateInProgress();
  if (!earlier.order_id) throw error;
  return { order: (await findOrder(sql, earlier.order_id))!, replayed: true };
}

export const accountDeleted = () => new ApiError("unauthorized", "This account was deleted");

export const keyReused = () =>
  new ApiError("idempotency_key_reused", "This Idempotency-Key was used for another request");

export const duplicateInProgress = () =>
  new ApiError("idempotency_in_progress", "The same request is still in progress", { retryAfter: 1 });
