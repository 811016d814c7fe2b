import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { ProviderAnswer } from "../provider-client/post-json.ts";
import type { Payment, PaymentStatus } from "./schemas.ts";

export interface NewPayment {
  id: string;
  customer_id: string;
  amount_cents: number;
  key_hash: Buffer | null;
  request_hash: Buffer;
}

export type ProviderResponse = ProviderAnswer | { error: string };

/** Enters charges that are about to be asked for, all or none. */
export async function insertPendingPayments(sql: Db, payments: NewPayment[]) {
  // Hashes travel as hex: JSON has no bytes.
  const rows = payments.map((payment) => ({
    ...payment,
    key_hash: payment.key_hash?.toString("hex") ?? null,
    request_hash: payment.request_hash.toString("hex"),
  }));
  await sql`
    insert into payments (id, customer_id, amount_cents, status, key_hash, request_hash)
    select id, customer_id, amount_cents, 'pending', decode(key_hash, 'hex'), decode(request_hash, 'hex')
    from jsonb_to_recordset(${sql.json(rows)})
      as row (id uuid, customer_id uuid, amount_cents integer, key_hash text, request_hash text)`;
}

/** Takes up a charge whose outcome nobody knows, to ask for it again; false if it is being settled already. */
export async function reopenPayment(sql: Db, id: string): Promise<boolean> {
  const { count } = await sql`
    update payments set status = 'pending', attempts = attempts + 1, attempted_at = now(), updated_at = now()
    where id = ${id} and order_id is null and status in ('pending', 'unknown')`;
  return count === 1;
}

/**
 * Notes that a charge failed, or that nobody knows; one that is being settled meanwhile is left alone. Of a charge that
 * was asked for more than once, that one of the tries failed says nothing of the others, one of which may still be under
 * way: it is `unknown`.
 */
export async function markPaymentUnpaid(
  sql: Db,
  id: string,
  status: "failed" | "unknown",
  response: ProviderResponse,
) {
  await sql`
    update payments set
      status = case when attempts = 1 then ${status} else 'unknown' end,
      response = ${sql.json(response as never)}, updated_at = now()
    where id = ${id} and order_id is null and status in ('pending', 'unknown')`;
}

/** Notes that a charge which no order can take any more was made; one that passed for never made is unsettled again. */
export async function markPaymentCharged(sql: Db, id: string) {
  await sql`
    update payments set
      charged_at = now(), status = case when status = 'failed' then 'unknown' else status end, updated_at = now()
    where id = ${id} and order_id is null`;
}

/** What an earlier try of a key left behind. */
export interface EarlierPayment {
  id: string;
  /** What the key has made, in its 24 hours. Null: the charge has no order, and no known end. */
  order_id: string | null;
  amount_cents: number;
  status: PaymentStatus;
  /** In hexadecimal digits. */
  request_hash: string;
}

/** The payments of a key, however old and however they ended; a part of another query. */
export const selectPaymentsOfKey = (sql: Db, customerId: string, keyHash: Buffer | null) => sql`
  select from payments where customer_id = ${customerId} and key_hash = ${keyHash}`;

/** The payment by which a key is taken: for what it made, or until its charge is settled. */
export async function findEarlierPayment(
  sql: Db,
  customerId: string,
  keyHash: Buffer | null,
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

/** A customer's charges whose order may yet come about; a query of its own, or a part of another. */
export const selectOpenPayments = (sql: Db, customerId: string) => sql<{ id: string }[]>`
  select id from payments
  where customer_id = ${customerId} and order_id is null and status in ('pending', 'unknown')`;

/** One row more than the page holds, newest first. */
export const listPayments = (
  sql: Db,
  { status, order_id }: { status?: PaymentStatus; order_id?: string },
  page: PageRequest,
) => sql<Payment[]>`
  select id, order_id, customer_id, amount_cents, status, response, created_at, updated_at,
    (
      select coalesce(sum(r.amount_cents), 0)::int from refunds r where r.payment_id = p.id and r.status = 'succeeded'
    ) as refunded_cents
  from payments p
  where true
    ${status ? sql`and status = ${status}` : sql``}
    ${
      // What their index says, so that a plan for any status may use it.
      status && status !== "succeeded" ? sql`and status <> 'succeeded'` : sql``
    }
    ${order_id ? sql`and order_id = ${order_id}` : sql``}
    ${page.after ? sql`and id < ${page.after}` : sql``}
  order by id desc
  limit ${page.limit + 1}`;
