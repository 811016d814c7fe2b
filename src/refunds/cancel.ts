import type { Db } from "../db/pool.ts";
import { insertEvent } from "../events/queries.ts";
import { ApiError } from "../http/errors.ts";
import { queueNotification } from "../notifications/queries.ts";
import { findOrder, type LockedOrder, setOrderCanceled } from "../orders/queries.ts";
import type { Order } from "../orders/schemas.ts";
import { countTransition, type Status } from "../orders/status.ts";
import { refundRest } from "./refunds.ts";

/** The statuses from which an owner, or a manager, may cancel an order. */
export const cancelable: Record<"owner" | "manager", readonly Status[]> = {
  owner: ["waiting"],
  manager: ["waiting", "preparation", "ready"],
};

/**
 * Cancels a locked order, requests a refund of the rest of its payment, and returns the order. The row lock decides
 * between a cancel and a status change at the same moment. Throws `too_late` from a status that is not `allowed`.
 */
export async function cancelOrder(
  tx: Db,
  id: string,
  { status: from, seconds_in_status }: LockedOrder,
  allowed: readonly Status[],
  reason: string | null,
): Promise<Order> {
  if (!allowed.includes(from)) throw new ApiError("too_late", `The order is already ${from}`);
  await setOrderCanceled(tx, id, reason);
  await refundRest(tx, id, reason ?? "The order was canceled");
  const order = (await findOrder(tx, id))!;
  const data = { ...order, from, to: "canceled", reason };
  await Promise.all([
    insertEvent(tx, { type: "order.canceled", subject_id: id, data }),
    queueNotification(tx, id, "canceled"),
  ]);
  countTransition(from, seconds_in_status, "canceled");
  return order;
}
