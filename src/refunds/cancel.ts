import type { Db } from "../db/pool.ts";
import { insertEvent } from "../events/queries.ts";
import { ApiError } from "../http/errors.ts";
import { queueNotification } from "../notifications/queries.ts";
import { findOrder, type LockedOrder, setOrderCanceled } from "../orders/queries.ts";
import type { Order } from "../orders/schemas.ts";
import { countTransition, type Status } from "../orders/status.ts";
import { refundRest } from "./refunds.ts";

export const cancelable: Record<"owner" | "manager", readonly Status[]> = {
  owner: ["waiting"],
  manager: ["waiting", "preparation", "ready"],
};

/** The row lock decides between a concurrent cancel and status change. Throws `too_late` unless `allowed`. */
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
