import type { Db } from "../db.ts";
import type { ProviderAnswer } from "./post-json.ts";

export interface NewPayment {
  id: string;
  customer_id: string;
  amount_cents: number;
  key_hash: Buffer | null;
  request_hash: Buffer;
}

export type ProviderResponse = ProviderAnswer | { error: string };

/** Enters a charge that is about to be asked for. */
export async function insertPendingPayment(sql: Db, payment: NewPayment) {
  await sql`
    insert into payments (id, customer_id, amount_cents, status, key_hash, request_hash)
    values (${payment.id}, ${payment.customer_id}, ${payment.amount_cents}, 'pending',
      ${payment.key_hash}, ${payment.request_hash})`;
}

/** Takes up a charge whose outcome nobody knows, to ask for it again; false if it is being settled already. */
export async function reopenPayment(sql: Db, id: string): Promise<boolean> {
  const { count } = await sql`
    update payments set status = 'pending', attempted_at = now(), updated_at = now()
    where id = ${id} and order_id is null and status in ('pending', 'unknown')`;
  return count === 1;
}

/** Notes that a charge failed, or that nobody knows; one that is being settled meanwhile is left alone. */
export async function markPaymentUnpaid(
  sql: Db,
  id: string,
  status: "failed" | "unknown",
  response: ProviderResponse,
) {
  await sql`
    update payments set status = ${status}, response = ${sql.json(response as never)}, updated_at = now()
    where id = ${id} and order_id is null and status in ('pending', 'unknown')`;
}

export interface UnsettledPayment {
  id: string;
  amount_cents: number;
  status: "pending" | "unknown" | "refund_pending";
  request_hash: Buffer;
}

/** The charge that an earlier try of this key left behind without an order and without a known end. */
export async function findUnsettledPayment(
  sql: Db,
  customerId: string,
  keyHash: Buffer,
): Promise<UnsettledPayment | undefined> {
  const [payment] = await sql<UnsettledPayment[]>`
    select id, amount_cents, status, request_hash
    from payments
    where customer_id = ${customerId} and key_hash = ${keyHash} and order_id is null
      and status in ('pending', 'unknown', 'refund_pending')
    order by id desc
    limit 1`;
  return payment;
}
