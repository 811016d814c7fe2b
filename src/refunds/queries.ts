import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Backlog } from "../observability/doctor.ts";
import type { Span } from "../orders/queries.ts";
import type { StoredResponse } from "../provider-client/post-json.ts";
import type { Refund, RefundStatus } from "./schemas.ts";

/** With graphile-worker's backoff the last attempt is 22 hours after the first. */
const maxAttempts = 13;

/** The columns of a `Refund`, for the tables `refunds r` and `payments p`. */
const refundColumns = (sql: Db) => sql`
  r.id, r.payment_id, p.order_id, r.amount_cents, r.status, r.reason, r.attempts, r.response, r.created_at, r.updated_at`;

export const listRefunds = (
  sql: Db,
  { status, order_id }: { status?: RefundStatus; order_id?: string },
  page: PageRequest,
) => sql<Refund[]>`
  select ${refundColumns(sql)}
  from refunds r
  join payments p on p.id = r.payment_id
  where true
    ${status ? sql`and r.status = ${status}` : sql``}
    ${order_id ? sql`and p.order_id = ${order_id}` : sql``}
    ${page.after ? sql`and r.id < ${page.after}` : sql``}
  order by r.id desc
  limit ${page.limit + 1}`;

export async function findRefund(sql: Db, id: string): Promise<Refund | undefined> {
  const [refund] = await sql<Refund[]>`
    select ${refundColumns(sql)} from refunds r join payments p on p.id = r.payment_id where r.id = ${id}`;
  return refund;
}

/** Returns the cents refunded, or about to be, of the orders placed in a span and not canceled. */
export async function sumRefundsOfOrders(sql: Db, { from, to }: Span): Promise<number> {
  const [row] = await sql<[{ cents: number }]>`
    select coalesce(sum(r.amount_cents), 0)::float8 as cents
    from orders o
    join payments p on p.order_id = o.id
    join refunds r on r.payment_id = p.id and r.status <> 'failed'
    where o.created_at >= ${from} and o.created_at < ${to} and o.status <> 'canceled'`;
  return row.cents;
}

/** A payment's refunds in cents, by status. Failed refunds don't count. */
export interface RefundSums {
  succeeded: number;
  pending: number;
  due: number;
}

export async function sumRefunds(sql: Db, paymentId: string): Promise<RefundSums> {
  const [sums] = await sql<[RefundSums]>`
    select
      coalesce(sum(amount_cents) filter (where status = 'succeeded'), 0)::int as succeeded,
      coalesce(sum(amount_cents) filter (where status = 'pending'), 0)::int as pending,
      coalesce(sum(amount_cents) filter (where status = 'due'), 0)::int as due
    from refunds
    where payment_id = ${paymentId}`;
  return sums;
}

// The key replaces a waiting job, with all attempts again. The queue serializes a payment's refunds; 16 queues in all.
const addJob = (sql: Db) => sql`
  graphile_worker.add_job(
    'send_refund', json_build_object('refund_id', id), queue_name => 'refunds ' || right(payment_id::text, 1),
    max_attempts => ${maxAttempts}, job_key => 'refund ' || id)`;

/** Inserts a refund and the job that sends it. Both exist exactly when the transaction commits. */
export async function insertRefund(
  tx: Db,
  refund: { payment_id: string; amount_cents: number; reason: string },
): Promise<string> {
  const id = newId();
  await tx`
    with inserted as (
      insert into refunds (id, payment_id, amount_cents, reason)
      values (${id}, ${refund.payment_id}, ${refund.amount_cents}, ${refund.reason})
      returning id, payment_id
    )
    select ${addJob(tx)} from inserted`;
  return id;
}

/** Sends a refund again at once, with all its attempts. A refund that succeeded stays as it is. */
export async function requeueRefund(tx: Db, id: string) {
  await tx`
    with requeued as (
      update refunds set status = 'pending', updated_at = now()
      where id = ${id} and status <> 'succeeded'
      returning id, payment_id
    )
    select ${addJob(tx)} from requeued`;
}

/** Adds a job for each pending refund without one that can still run; its worker died in the last attempt. */
export async function requeueLostRefunds(sql: Db) {
  await sql`
    select ${addJob(sql)}
    from refunds
    where status = 'pending' and not exists (
      select from graphile_worker.jobs job
      where job.key = 'refund ' || refunds.id and (job.locked_at is not null or job.attempts < job.max_attempts)
    )`;
}

export interface RefundToSend {
  id: string;
  payment_id: string;
  order_id: string | null;
  amount_cents: number;
}

/** Counts an attempt. Returns undefined if the refund is no longer pending. */
export async function startRefundAttempt(sql: Db, id: string): Promise<RefundToSend | undefined> {
  const [refund] = await sql<RefundToSend[]>`
    update refunds r set attempts = r.attempts + 1, updated_at = now()
    from payments p
    where r.id = ${id} and r.status = 'pending' and p.id = r.payment_id
    returning r.id, r.payment_id, p.order_id, r.amount_cents`;
  return refund;
}

/** Ends a pending refund. Returns false if another attempt ended it before. */
export async function endRefund(
  tx: Db,
  id: string,
  status: "succeeded" | "failed" | "due",
  response: StoredResponse,
): Promise<boolean> {
  const { count } = await tx`
    update refunds set status = ${status}, response = ${tx.json(response as never)}, updated_at = now()
    where id = ${id} and status = 'pending'`;
  return count === 1;
}

export async function recordRefundFault(sql: Db, id: string, response: StoredResponse) {
  await sql`
    update refunds set response = ${sql.json(response as never)}, updated_at = now()
    where id = ${id} and status = 'pending'`;
}

export async function countRefundsDue(sql: Db): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from refunds where status = 'due'`;
  return row.count;
}

/** Counts orders without a charge only of the last day: reading all takes seconds in a large shop. */
export async function countImbalances(sql: Db): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from payments_out_of_balance
    where problem = 'charge_without_order'
      or (problem = 'order_without_charge' and since > now() - interval '1 day')`;
  return row.count;
}

export const sumImbalances = (sql: Db) => sql<Backlog[]>`
  select replace(problem, '_', ' ') as about, count(*)::int as count, sum(amount_cents)::float8 as cents
  from payments_out_of_balance
  group by problem`;
