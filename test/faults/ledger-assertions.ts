import { expect } from "vitest";
import type { Pool } from "../../src/db/pool.ts";
import type { Bank } from "./fake-provider.ts";

/**
 * Waits until no charge is on its way. The default leaves the worker the time to claim stale charges, and to unlock the
 * jobs of a worker that was killed. The backoff of refunds that failed often is skipped.
 */
export async function untilAtRest(sql: Pool, seconds = 135) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const open = await sql`select * from payments_out_of_balance`.catch(() => null);
    if (open?.length === 0) return;
    if (Date.now() > deadline) throw new Error(`not settled after ${seconds} s: ${JSON.stringify(open)}`);
    await sql`
      update graphile_worker._private_jobs set run_at = now()
      where key like 'refund %' and run_at > now() + interval '10 seconds'`.catch(() => null);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Holds the shop's tables against the bank's books: each charge has one order or one refund, to the cent. */
export async function expectBalanced(sql: Pool, bank: Bank) {
  const payments = await sql<{ id: string; order_id: string | null; amount_cents: number; status: string }[]>`
    select id, order_id, amount_cents, status from payments`;
  const orders = await sql<{ id: string; total_cents: number; payments: number; items: number }[]>`
    select id, total_cents,
      (select count(*)::int from payments p where p.order_id = o.id) as payments,
      (select sum(total_cents)::int from order_items i where i.order_id = o.id) as items
    from orders o`;
  const wrong: unknown[] = [];

  for (const order of orders)
    if (order.payments !== 1 || order.items !== order.total_cents) wrong.push({ order });
  const totals = new Map(orders.map((order) => [order.id, order.total_cents]));
  for (const payment of payments) {
    const charged = bank.charged.get(payment.id) ?? 0;
    const refunded = bank.refunded.get(payment.id) ?? 0;
    const right = payment.order_id
      ? payment.status === "succeeded" && charged === totals.get(payment.order_id) && refunded === 0
      : charged === 0
        ? payment.status === "failed" && refunded === 0
        : payment.status === "refunded" && charged === payment.amount_cents && refunded === charged;
    if (!right) wrong.push({ payment, charged, refunded });
  }
  const known = new Set(payments.map(({ id }) => id));
  for (const id of bank.charged.keys()) if (!known.has(id)) wrong.push({ unknownCharge: id });
  expect(wrong).toEqual([]);

  const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);
  expect(sum(bank.charged.values()) - sum(bank.refunded.values())).toBe(sum(totals.values()));
}
