import type { Db, Pool } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { StoredResponse } from "../provider-client/post-json.ts";
import type { Payment, PaymentStatus } from "./schemas.ts";

export interface NewPayment {
  id: string;
  customer_id: string;
  amount_cents: number;
  key_hash: Buffer | null;
  request_hash: Buffer;
}

/** Inserts a payment before its charge. Runs outside the order's transaction, so that its rollback keeps the row. */
export async function recordPending(ledger: Pool, payment: NewPayment) {
  await ledger`
    insert into payments (id, customer_id, amount_cents, status, key_hash, request_hash)
    values (
      ${payment.id}, ${payment.customer_id}, ${payment.amount_cents}, 'pending',
      ${payment.key_hash}, ${payment.request_hash}
    )`;
}

/** Inserts the payment of an order without a charge. Returns true, as `markPaymentSucceeded` does. */
export async function insertFreePayment(tx: Db, payment: NewPayment, orderId: string): Promise<boolean> {
  const { count } = await tx`
    insert into payments (id, order_id, customer_id, amount_cents, status, key_hash, request_hash)
    values (
      ${payment.id}, ${orderId}, ${payment.customer_id}, ${payment.amount_cents}, 'succeeded',
      ${payment.key_hash}, ${payment.request_hash}
    )`;
  return count === 1;
}

/** Returns false if the refund has begun: both are compare-and-set updates of the same row. */
export async function markPaymentSucceeded(
  tx: Db,
  id: string,
  orderId: string,
  response: StoredResponse,
): Promise<boolean> {
  const { count } = await tx`
    update payments set
      order_id = ${orderId}, status = 'succeeded', response = ${tx.json(response as never)}, updated_at = now()
    where id = ${id} and order_id is null and status in ('pending', 'unknown')`;
  return count === 1;
}

/** Sets an unsettled payment to pending for another attempt. Returns false if its reconciliation has begun. */
export async function markPaymentPendingAgain(sql: Db, id: string): Promise<boolean> {
  const { count } = await sql`
    update payments set status = 'pending', attempts = attempts + 1, attempted_at = now(), updated_at = now()
    where id = ${id} and order_id is null and status in ('pending', 'unknown')`;
  return count === 1;
}

/** Skips a payment in reconciliation. After several attempts one failure proves nothing, so it becomes `unknown`. */
export async function recordChargeFailure(
  sql: Db,
  id: string,
  status: "failed" | "unknown",
  response: StoredResponse,
) {
  await sql`
    update payments set
      status = case when attempts = 1 then ${status} else 'unknown' end,
      response = ${sql.json(response as never)}, updated_at = now()
    where id = ${id} and order_id is null and status in ('pending', 'unknown')`;
}

/** Records that a payment without an order was charged. A payment that counted as failed becomes unknown again. */
export async function markPaymentCharged(sql: Db, id: string) {
  await sql`
    update payments set
      charged_at = now(), status = case when status = 'failed' then 'unknown' else status end, updated_at = now()
    where id = ${id} and order_id is null`;
}

export interface EarlierPayment {
  id: string;
  /** The order that the key made in its 24 hours. Null if the charge is not settled. */
  order_id: string | null;
  amount_cents: number;
  status: PaymentStatus;
  /** Hexadecimal. */
  request_hash: string;
}

/** Returns the payment that holds the key: for 24 hours with an order, else until its charge is settled. */
export async function findEarlierPayment(
  sql: Db,
  customerId: string,
  keyHash: Buffer,
): Promise<EarlierPayment | undefined> {
  const [payment] = await sql<EarlierPayment[]>`
    select id, order_id, amount_cents, status, encode(request_hash, 'hex') as request_hash
    from payments
    where customer_id = ${customerId} and key_hash = ${keyHash}
      and case
        when order_id is null then status in ('pending', 'unknown', 'refund_pending')
        else attempted_at > now() - interval '24 hours'
      end
    order by order_id is null, id desc
    limit 1`;
  return payment;
}

/** Returns whether the customer has a charge that may still get its order. */
export async function hasOpenPayments(sql: Db, customerId: string): Promise<boolean> {
  const { count } = await sql`
    select from payments
    where customer_id = ${customerId} and order_id is null and status in ('pending', 'unknown')
    limit 1`;
  return count > 0;
}

/** A part of a query on `users u`. */
export const selectPaymentsOfUser = (sql: Db) => sql`select from payments where customer_id = u.id`;

export const listPayments = (
  sql: Db,
  { status, order_id }: { status?: PaymentStatus; order_id?: string },
  page: PageRequest,
) => sql<Payment[]>`
  select id, order_id, customer_id, amount_cents, refunded_cents, status, response, created_at, updated_at
  from payments
  where true
    ${status ? sql`and status = ${status}` : sql``}
    ${
      // Repeats the condition of the partial index, so that a generic plan may use it.
      status && status !== "succeeded" ? sql`and status <> 'succeeded'` : sql``
    }
    ${order_id ? sql`and order_id = ${order_id}` : sql``}
    ${page.after ? sql`and id < ${page.after}` : sql``}
  order by id desc
  limit ${page.limit + 1}`;

export interface LockedPayment {
  id: string;
  order_id: string | null;
  amount_cents: number;
  /** Whether the provider confirmed the charge after its refund was requested. */
  charged_late: boolean;
}

const lockedColumns = (tx: Db) => tx`id, order_id, amount_cents, charged_at is not null as charged_late`;

/** Locks the payment of an order until the transaction ends. The order's row must be locked before. */
export async function lockPaymentOfOrder(tx: Db, orderId: string): Promise<LockedPayment> {
  const [payment] = await tx<LockedPayment[]>`
    select ${lockedColumns(tx)} from payments where order_id = ${orderId} for update`;
  return payment!;
}

/** Locks a payment until the transaction ends. If it has an order, the order's row must be locked before. */
export async function lockPayment(tx: Db, id: string): Promise<LockedPayment> {
  const [payment] = await tx<LockedPayment[]>`
    select ${lockedColumns(tx)} from payments where id = ${id} for update`;
  return payment!;
}

export async function setPaymentStatus(tx: Db, id: string, status: PaymentStatus, refundedCents: number) {
  await tx`
    update payments set status = ${status}, refunded_cents = ${refundedCents}, updated_at = now()
    where id = ${id}`;
}

/**
 * Moves at most 500 stale charges without an order to `refund_pending`. A checkout may commit at the same time: if it
 * locks the row first, this skips the row. If this locks first, its update matches no row, and the checkout rolls back.
 */
export const claimStalePayments = (tx: Db, staleAfterSeconds: number) => tx<
  { id: string; amount_cents: number }[]
>`
  with stale as (
    select id from payments
    where order_id is null and status in ('pending', 'unknown')
      and attempted_at < now() - ${staleAfterSeconds} * interval '1 second'
    order by attempted_at
    limit 500
    for update skip locked
  )
  update payments p set status = 'refund_pending', updated_at = now()
  from stale
  where p.id = stale.id
  returning p.id, p.amount_cents`;
