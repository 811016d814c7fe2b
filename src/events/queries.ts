import { v7 as uuidv7 } from "uuid";
import type { Db } from "../db.ts";

export type EventType =
  | "order.created"
  | "order.status_changed"
  | "order.canceled"
  | "payment.refunded"
  | "user.created"
  | "user.verified"
  | "cart.updated"
  | "menu.changed";

/** Writes what happened; in the transaction of the change, so that it is known exactly when the change is true. */
export async function insertEvent(sql: Db, event: { type: EventType; subject_id: string; data: unknown }) {
  await sql`
    insert into events (id, type, subject_id, data)
    values (${uuidv7()}, ${event.type}, ${event.subject_id}, ${sql.json(event.data as never)})`;
}
