import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Backlog } from "../observability/doctor.ts";
import type { Status } from "../orders/status.ts";
import type { StoredResponse } from "../provider-client/post-json.ts";
import type { Notification, NotificationStatus } from "./schemas.ts";

/** Tries before a notification is left to a human: with the queue's growing pauses, about a day. */
const maxAttempts = 15;

/** Writes a notification and the job that sends it: both are there exactly when the change they tell of is true. */
export async function queueNotification(tx: Db, orderId: string, orderStatus: Status) {
  await tx`
    with queued as (
      insert into notifications (id, order_id, order_status)
      values (${newId()}, ${orderId}, ${orderStatus})
      returning id
    )
    select ${addJob(tx)} from queued`;
}

/** The job that sends the notification `id`. By its key there is one, which being added again is due at once. */
const addJob = (sql: Db) => sql`
  graphile_worker.add_job(
    'send_notification', json_build_object('notification_id', id),
    max_attempts => ${maxAttempts}, job_key => 'notification ' || id)`;

/** Has a notification sent at once, with all its tries before it. One that was sent is left as it is. */
export async function requeueNotification(sql: Db, id: string) {
  await sql`
    with requeued as (
      update notifications set status = 'pending' where id = ${id} and status <> 'sent' returning id
    )
    select ${addJob(sql)} from requeued`;
}

interface Outgoing {
  order_id: string;
  order_status: Status;
}

/** A notification that has not reached the provider yet. */
export async function findUnsentNotification(sql: Db, id: string): Promise<Outgoing | undefined> {
  const [notification] = await sql<Outgoing[]>`
    select order_id, order_status from notifications where id = ${id} and status <> 'sent'`;
  return notification;
}

/** Notes what a try came to. What was sent stays sent, whatever a second try at once came to. */
export async function recordAttempt(
  sql: Db,
  id: string,
  status: Exclude<NotificationStatus, "pending">,
  response: StoredResponse,
) {
  await sql`
    update notifications set
      status = ${status}, attempts = attempts + 1, response = ${sql.json(response as never)},
      sent_at = case when ${status} = 'sent' then now() end
    where id = ${id} and status <> 'sent'`;
}

const notificationColumns = (sql: Db) => sql`
  id, order_id, order_status, status, attempts, response, created_at, sent_at`;

export async function findNotification(sql: Db, id: string): Promise<Notification | undefined> {
  const [notification] = await sql<Notification[]>`
    select ${notificationColumns(sql)} from notifications where id = ${id}`;
  return notification;
}

/** One row more than the page holds, newest first. */
export const listNotifications = (
  sql: Db,
  { status, order_id }: { status?: NotificationStatus; order_id?: string },
  page: PageRequest,
) => sql<Notification[]>`
  select ${notificationColumns(sql)}
  from notifications
  where true
    ${status ? sql`and status = ${status}` : sql``}
    ${order_id ? sql`and order_id = ${order_id}` : sql``}
    ${page.after ? sql`and id < ${page.after}` : sql``}
  order by id desc
  limit ${page.limit + 1}`;

/** Counts the notifications that failed for good. */
export const countFailedNotifications = (sql: Db) => sql<Backlog[]>`
  select 'failed notifications' as about, count(*)::int as count, null as cents
  from notifications where status = 'failed'`;
