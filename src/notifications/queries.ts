import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Backlog } from "../observability/doctor.ts";
import type { StoredResponse } from "../provider-client/post-json.ts";
import type { Notification, NotificationStatus, OrderStatus } from "./schemas.ts";

/** With graphile-worker's backoff the last attempt is 34 hours after the first. */
const maxAttempts = 15;

/** Inserts a notification and the job that sends it. Both exist exactly when the transaction commits. */
export async function queueNotification(tx: Db, orderId: string, orderStatus: OrderStatus) {
  await tx`
    with queued as (
      insert into notifications (id, order_id, order_status)
      values (${newId()}, ${orderId}, ${orderStatus})
      returning id
    )
    select ${addJob(tx)} from queued`;
}

/** Adds the job that sends the notification `id`. Its key replaces a waiting job of the same notification. */
const addJob = (sql: Db) => sql`
  graphile_worker.add_job(
    'send_notification', json_build_object('notification_id', id),
    max_attempts => ${maxAttempts}, job_key => 'notification ' || id)`;

/** Sends a notification again at once, with all its attempts. A sent notification stays as it is. */
export async function requeueNotification(sql: Db, id: string) {
  await sql`
    with requeued as (
      update notifications set status = 'pending' where id = ${id} and status <> 'sent' returning id
    )
    select ${addJob(sql)} from requeued`;
}

interface Outgoing {
  order_id: string;
  order_status: OrderStatus;
}

export async function findUnsentNotification(sql: Db, id: string): Promise<Outgoing | undefined> {
  const [notification] = await sql<Outgoing[]>`
    select order_id, order_status from notifications where id = ${id} and status <> 'sent'`;
  return notification;
}

/** Records an attempt. A sent notification stays sent, whatever a concurrent attempt returned. */
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

export const countFailedNotifications = (sql: Db) => sql<Backlog[]>`
  select 'failed notifications' as about, count(*)::int as count, null as cents
  from notifications where status = 'failed'`;
