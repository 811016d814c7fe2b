import { v7 as uuidv7 } from "uuid";
import type { Db } from "../db.ts";
import type { ProviderResponse } from "./queries.ts";

/** Seconds in which nobody else takes a refund that is being sent; one whose sender died is free again after them. */
const leaseSeconds = 25;

/**
 * Takes every charge without an order whose placement is over into its refund. `quietSeconds` is how long ago it must
 * have been asked for. With a refund endpoint the refunds are sent from then on, without one they are due at once.
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
  refundable: boolean,
): Promise<{ payment_id: string; amount_cents: number }[]> {
  const overdue = await sql<{ id: string }[]>`
    select id from payments
    where order_id is null and status in ('pending', 'unknown')
      and attempted_at < now() - ${quietSeconds} * interval '1 second'
    order by attempted_at
    limit 500`;
  if (overdue.length === 0) return [];
  const refunds = overdue.map(({ id }) => ({ id: uuidv7(), payment_id: id }));
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
      update payments p set status = ${refundable ? "refund_pending" : "refund_due"}, updated_at = now()
      from candidate
      where p.id = candidate.id
      returning p.id, p.amount_cents, candidate.refund_id
    ),
    refund as (
      insert into refunds (id, payment_id, amount_cents, status, reason)
      select refund_id, id, amount_cents, ${refundable ? "pending" : "due"}, 'The order was never made'
      from claimed
    )
    select id as payment_id, amount_cents from claimed`;
}

export interface RefundToSend {
  id: string;
  payment_id: string;
  amount_cents: number;
  /** Seconds since it was made. */
  age: number;
  attempts: number;
}

/** Takes refunds whose time has come, for as long as one call may last. */
export const leaseRefunds = (sql: Db, limit: number) => sql<RefundToSend[]>`
  update refunds r set
    attempts = attempts + 1, next_attempt_at = now() + ${leaseSeconds} * interval '1 second', updated_at = now()
  where id in (
    select id from refunds
    where status = 'pending' and next_attempt_at <= now()
    order by next_attempt_at
    limit ${limit}
    for update skip locked
  )
  returning id, payment_id, amount_cents, attempts, extract(epoch from now() - created_at)::int as age`;

/** The refund went through: it and, when nothing is left to give back, its payment say so. Gives false if it had before. */
export async function markRefundSucceeded(tx: Db, id: string, response: ProviderResponse): Promise<boolean> {
  const { count } = await tx`
    with refund as (
      update refunds set status = 'succeeded', response = ${tx.json(response as never)}, updated_at = now()
      where id = ${id} and status = 'pending'
      returning payment_id
    )
    update payments p set status = 'refunded', updated_at = now()
    from refund
    where p.id = refund.payment_id`;
  return count === 1;
}

/** The provider never saw the charge: nothing was taken, and nothing is to be given back. */
export async function markRefundNeedless(sql: Db, id: string, response: ProviderResponse) {
  await sql`
    with refund as (
      update refunds set status = 'failed', response = ${sql.json(response as never)}, updated_at = now()
      where id = ${id} and status = 'pending'
      returning payment_id
    )
    update payments p set status = 'failed', updated_at = now()
    from refund
    where p.id = refund.payment_id and p.order_id is null`;
}

/** It did not go through this time; the next try is in `seconds`. */
export async function postponeRefund(sql: Db, id: string, seconds: number, response: ProviderResponse) {
  await sql`
    update refunds set
      next_attempt_at = now() + ${seconds} * interval '1 second',
      response = ${sql.json(response as never)}, updated_at = now()
    where id = ${id} and status = 'pending'`;
}

/** Nothing of ours will send it any more: a human has to. */
export async function markRefundDue(sql: Db, id: string, response: ProviderResponse) {
  await sql`
    with refund as (
      update refunds set status = 'due', response = ${sql.json(response as never)}, updated_at = now()
      where id = ${id} and status = 'pending'
      returning payment_id
    )
    update payments p set status = 'refund_due', updated_at = now()
    from refund
    where p.id = refund.payment_id`;
}
