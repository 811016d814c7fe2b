import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Backlog } from "../observability/doctor.ts";
import type { Span } from "../orders/queries.ts";
import type { StoredResponse } from "../provider-client/post-json.ts";
import type { Refund, RefundStatus } from "./schemas.ts";

/** Seconds in which nobody else takes a refund that is being sent; one whose sender died is free again after them. */
const leaseSeconds = 25;

/**
 * Takes every charge without an order whose placement is over into its refund. `quietSeconds` is how long ago it must
 * have been asked for.
 *
 * This can't refund a charge whose order is being committed, and no commit can take a charge that is being refunded:
 * both set the status of the same row, both only from `pending` or `unknown`, and a row has one writer at a time. If
 * the placement is first, its uncommitted row is locked and skipped here, and after its commit it has an order and no
 * longer matches. If this is first, the placement's update waits for this commit, then matches no row, and its
 * transaction is rolled back (place.ts). The wait of `quietSeconds` only keeps the two from meeting; that one of them
 * loses when they do meet all the same, because a process stood still, is decided by the row.
 */
export async function claimOverduePayments(
  sql: Db,
  quietSeconds: number,
): Promise<{ payment_id: string; amount_cents: number }[]> {
  const overdue = await sql<{ id: string }[]>`
    select id from payments
    where order_id is null and status in ('pending', 'unknown')
      and attempted_at < now() - ${quietSeconds} * interval '1 second'
    order by attempted_at
    limit 500`;
  if (overdue.length === 0) return [];
  const refunds = overdue.map(({ id }) => ({ id: newId(), payment_id: id }));
  return sql<{ payment_id: string; amount_cents: number }[]>`
    with candidate as (
      select p.id, refund.id as refund_id
      from jsonb_to_recordset(${sql.json(refunds)}) as refund (id uuid, payment_id uuid)
      join payments p on p.id = refund.payment_id
      where p.order_id is null and p.status in ('pending', 'unknown')
        and p.attempted_at < now() - ${quietSeconds} * interval '1 second'
      for update of p skip locked
    ),
    claimed as (
      update payments p set status = 'refund_pending', updated_at = now()
      from candidate
      where p.id = candidate.id
      returning p.id, p.amount_cents, candidate.refund_id
    ),
    refund as (
      insert into refunds (id, payment_id, amount_cents, reason)
      select refund_id, id, amount_cents, 'The order was never made'
      from claimed
    )
    select id as payment_id, amount_cents from claimed`;
}

/** A refund as managers see it. Its tables are `refunds r` and `payments p`. */
const refundColumns = (sql: Db) => sql`
  r.id, r.payment_id, p.order_id, r.amount_cents, r.status, r.reason, r.attempts, r.response, r.created_at, r.updated_at`;

/** One row more than the page holds, newest first. */
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

/** Cents that went back, or are on their way, of the orders that were placed in a span and not canceled. */
export async function sumRefundsOfOrders(sql: Db, { from, to }: Span): Promise<number> {
  const [row] = await sql<[{ cents: number }]>`
    select coalesce(sum(r.amount_cents), 0)::float8 as cents
    from orders o
    join payments p on p.order_id = o.id
    join refunds r on r.payment_id = p.id and r.status <> 'failed'
    where o.created_at >= ${from} and o.created_at < ${to} and o.status <> 'canceled'`;
  return row.cents;
}

export async function findRefund(sql: Db, id: string): Promise<Refund | undefined> {
  const [refund] = await sql<Refund[]>`
    select ${refundColumns(sql)} from refunds r join payments p on p.id = r.payment_id where r.id = ${id}`;
  return refund;
}

/** Takes the row of an order's payment until the transaction ends; the order's row must be taken before. */
export async function lockPaymentOfOrder(tx: Db, orderId: string): Promise<{ id: string }> {
  const [payment] = await tx<
    { id: string }[]
  >`select id from payments where order_id = ${orderId} for update`;
  return payment!;
}

/** Takes the row of a payment until the transaction ends; whether the provider has said that it charged it. */
export async function lockCharged(tx: Db, paymentId: string): Promise<boolean> {
  const [payment] = await tx<{ charged: boolean }[]>`
    select charged_at is not null as charged from payments where id = ${paymentId} for update`;
  return payment!.charged;
}

/** Cents of a payment that are neither given back nor on their way: what a refund may still take. */
export async function findRefundable(tx: Db, paymentId: string): Promise<number> {
  const [row] = await tx<[{ left: number }]>`
    select amount_cents - (
      select coalesce(sum(r.amount_cents), 0)::int from refunds r where r.payment_id = p.id and r.status <> 'failed'
    ) as left
    from payments p
    where id = ${paymentId}`;
  return row.left;
}

/** Asks for a refund; whoever settles sends it when the transaction has committed. */
export async function insertRefund(
  tx: Db,
  refund: { payment_id: string; amount_cents: number; reason: string },
) {
  const id = newId();
  await tx`
    insert into refunds (id, payment_id, amount_cents, reason)
    values (${id}, ${refund.payment_id}, ${refund.amount_cents}, ${refund.reason})`;
  return id;
}

/** Has a refund sent as soon as possible, for a day again. One that went through is left as it is. */
export async function rescheduleRefund(tx: Db, id: string) {
  await tx`
    update refunds set status = 'pending', next_attempt_at = now(), tried_since = now(), updated_at = now()
    where id = ${id} and status <> 'succeeded'`;
}

/**
 * Derives a payment's status from its refunds, and its order's payment_status with it. A part given back leaves the
 * payment `succeeded`. A charge without an order whose refund failed was never made.
 */
export async function balancePayment(tx: Db, paymentId: string) {
  await tx`
    with sums as (
      select
        p.id, p.order_id, p.amount_cents,
        coalesce(sum(r.amount_cents) filter (where r.status = 'succeeded'), 0) as returned,
        coalesce(sum(r.amount_cents) filter (where r.status in ('pending', 'due')), 0) as owed,
        coalesce(bool_or(r.status = 'due'), false) as due,
        coalesce(bool_or(r.status = 'pending'), false) as pending
      from payments p
      left join refunds r on r.payment_id = p.id
      where p.id = ${paymentId}
      group by p.id
    ),
    payment as (
      update payments p set
        status = case
          when returned >= sums.amount_cents then 'refunded'
          when returned + owed >= sums.amount_cents and due then 'refund_due'
          when returned + owed >= sums.amount_cents then 'refund_pending'
          when sums.order_id is null then 'failed'
          else 'succeeded'
        end,
        updated_at = now()
      from sums
      where p.id = sums.id
    )
    update orders o set
      payment_status = case
        when due then 'refund_due'
        when pending then 'refund_pending'
        when returned >= sums.amount_cents then 'refunded'
        when returned > 0 then 'partially_refunded'
        else 'paid'
      end,
      updated_at = now()
    from sums
    where o.id = sums.order_id`;
}

export interface RefundToSend {
  id: string;
  payment_id: string;
  order_id: string | null;
  amount_cents: number;
  /** Seconds for which it is being tried. */
  age: number;
}

/** Takes refunds whose time has come, for as long as one call may last. */
export const leaseRefunds = (sql: Db, limit: number) => sql<RefundToSend[]>`
  update refunds r set
    attempts = r.attempts + 1, next_attempt_at = now() + ${leaseSeconds} * interval '1 second', updated_at = now()
  from payments p
  where p.id = r.payment_id and r.id in (
    select id from refunds
    where status = 'pending' and next_attempt_at <= now()
    order by next_attempt_at
    limit ${limit}
    for update skip locked
  )
  returning r.id, r.payment_id, p.order_id, r.amount_cents, extract(epoch from now() - r.tried_since)::int as age`;

/** Ends a refund; false if another try has ended it before. */
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

/** It did not go through this time; the next try is in `seconds`. */
export async function postponeRefund(sql: Db, id: string, seconds: number, response: StoredResponse) {
  await sql`
    update refunds set
      next_attempt_at = now() + ${seconds} * interval '1 second',
      response = ${sql.json(response as never)}, updated_at = now()
    where id = ${id} and status = 'pending'`;
}

export async function countRefundsDue(sql: Db): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from refunds where status = 'due'`;
  return row.count;
}

/**
 * Returns the number of charges without an order, and of orders without a charge. Of the orders only those of the last
 * day: reading all of them takes seconds in a large shop.
 */
export async function countImbalances(sql: Db): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from payments_out_of_balance
    where problem = 'charge_without_order'
      or (problem = 'order_without_charge' and since > now() - interval '1 day')`;
  return row.count;
}

/** Counts and sums the payments that are out of balance, by problem. */
export const sumImbalances = (sql: Db) => sql<Backlog[]>`
  select replace(problem, '_', ' ') as about, count(*)::int as count, sum(amount_cents)::float8 as cents
  from payments_out_of_balance
  group by problem`;
