import type { Db } from "../db/pool.ts";
import { insertEvent } from "../events/queries.ts";
import { ApiError } from "../http/errors.ts";
import { queueNotification } from "../notifications/queries.ts";
import { findOrder, type LockedOrder, setOrderCanceled } from "../orders/queries.ts";
import type { Order } from "../orders/schemas.ts";
import { countTransition, type Status } from "../orders/status.ts";
import { refundRest } from "./refunds.ts";

/** From which statuses an owner, and a manager, may cancel. */
export const cancelable: Record<"owner" | "manager", readonly Status[]> = {
  owner: ["waiting"],
  manager: ["waiting", "preparation", "ready"],
};

/**
 * Cancels an order whose row is taken, and asks for what is left of its payment back. The lock decides against a
 * barista's tap: exactly one of the two comes first. Throws `too_late` from any status but `allowed`.
 */
export async function cancelOrder(
  tx: Db,
  id: string,
  { status: from, seconds_in_status }: LockedOrder,
  allowed: readonly Status[],
  reason: string | null,
): Promise<Order> {
  if (!allowed.includes(from)) throw new ApiError("too_late", `The order is ${from} by now`);
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
