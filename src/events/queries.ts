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

interface NewEvent {
  type: EventType;
  subject_id: string;
  data: unknown;
}

/** Writes what happened; in the transaction of the change, so that it is known exactly when the change is true. */
export async function insertEvent(sql: Db, event: NewEvent) {
  await sql`
    insert into events (id, type, subject_id, data)
    values (${uuidv7()}, ${event.type}, ${event.subject_id}, ${sql.json(event.data as never)})`;
}

/** The same for many at once, in one statement. */
export async function insertEvents(sql: Db, events: NewEvent[]) {
  const rows = events.map((event) => ({ ...event, id: uuidv7() }));
  await sql`
    insert into events (id, type, subject_id, data)
    select id, type, subject_id, data
    from jsonb_to_recordset(${sql.json(rows as never)})
      as row (id uuid, type text, subject_id uuid, data jsonb)`;
}
