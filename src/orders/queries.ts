import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import { type ProviderResponse, selectOpenPayments, selectPaymentsOfKey } from "../payments/queries.ts";
import { type Role, selectRole } from "../users/queries.ts";
import type { PricedLine } from "./pricing.ts";
import type { Fulfillment, Order, OrderItem, Sales } from "./schemas.ts";
import type { Status } from "./status.ts";

/** An order as everybody sees it. Its table is `orders o`. */
const orderColumns = (sql: Db) => sql`
  o.id, o.number, o.customer_id, o.status, o.payment_status, o.total_cents,
  (
    select json_agg(json_build_object(
      'id', i.id, 'product_id', i.product_id, 'variation_id', i.variation_id,
      'product_name', i.product_name, 'variation_name', i.variation_name, 'options', i.options,
      'quantity', i.quantity, 'unit_price_cents', i.unit_price_cents, 'total_cents', i.total_cents, 'notes', i.notes
    ) order by i.position)
    from order_items i
    where i.order_id = o.id
  ) as items,
  o.fulfillment, o.metadata, o.notes, o.created_at, o.updated_at`;

/** The order of this id, whoever's it is. */
export async function findOrder(sql: Db, id: string): Promise<Order | undefined> {
  const [order] = await sql<Order[]>`select ${orderColumns(sql)} from orders o where o.id = ${id}`;
  return order;
}

export interface OrderFilter {
  status?: Status | undefined;
  customer_id?: string | undefined;
  /** Created at or after. */
  from?: string | undefined;
  /** Created before. */
  to?: string | undefined;
}

/** One row more than the page holds, newest first. */
export const listOrders = (sql: Db, { status, customer_id, from, to }: OrderFilter, page: PageRequest) => sql<
  Order[]
>`
  select ${orderColumns(sql)}
  from orders o
  where true
    ${status ? sql`and o.status = ${status}` : sql``}
    ${customer_id ? sql`and o.customer_id = ${customer_id}` : sql``}
    ${from ? sql`and o.created_at >= ${from}` : sql``}
    ${to ? sql`and o.created_at < ${to}` : sql``}
    ${page.after ? sql`and o.id < ${page.after}` : sql``}
  order by o.id desc
  limit ${page.limit + 1}`;

/** A span of time in which orders were placed: at or after `from`, before `to`. */
export interface Span {
  from: string;
  to: string;
}

/** The hours of a span in which orders were placed, counted from its beginning. */
export const listHourlySales = (sql: Db, { from, to }: Span) => sql<Sales["hours"]>`
  select
    date_bin('1 hour', created_at, ${from}::timestamptz) as starts_at,
    count(*) filter (where status <> 'canceled')::int as orders,
    count(*) filter (where status = 'canceled')::int as canceled,
    coalesce(sum(total_cents) filter (where status <> 'canceled'), 0)::float8 as revenue_cents
  from orders
  where created_at >= ${from} and created_at < ${to}
  group by 1
  order by 1`;

/** Whether a user waits for an order, or for a charge whose order may yet come about. */
export async function hasOpenOrders(sql: Db, customerId: string): Promise<boolean> {
  const [row] = await sql<{ open: boolean }[]>`
    select exists (
        select from orders where customer_id = ${customerId} and status in ('waiting', 'preparation', 'ready')
      ) or exists (${selectOpenPayments(sql, customerId)}) as open`;
  return row!.open;
}

/** All that are not finished, oldest first. */
export const listOpenOrders = (sql: Db) => sql<Order[]>`
  select ${orderColumns(sql)}
  from orders o
  where o.status in ('waiting', 'preparation', 'ready')
  order by o.id`;

/** What a customer sees of his orders: those that he has not put away. One row more than the page holds. */
export const listHistory = (sql: Db, customerId: string, page: PageRequest) => sql<Order[]>`
  select ${orderColumns(sql)}
  from orders o
  where o.customer_id = ${customerId} and o.put_away_at is null
    ${page.after ? sql`and o.id < ${page.after}` : sql``}
  order by o.id desc
  limit ${page.limit + 1}`;

/** Takes a customer's finished orders, or one of them, out of his list. */
export async function putAwayOrders(sql: Db, customerId: string, id?: string) {
  await sql`
    update orders set put_away_at = now()
    where customer_id = ${customerId} and put_away_at is null and status in ('delivered', 'canceled')
      ${id ? sql`and id = ${id}` : sql``}`;
}

/** Takes the row until the transaction ends: of two who change it, the second sees what the first did. */
export async function lockOrder(tx: Db, id: string): Promise<LockedOrder | undefined> {
  const [order] = await tx<LockedOrder[]>`
    select status, customer_id, extract(epoch from now() - status_changed_at)::float as seconds_in_status
    from orders
    where id = ${id}
    for update`;
  return order;
}

export interface LockedOrder {
  status: Status;
  customer_id: string;
  seconds_in_status: number;
}

/** Moves a locked order on; gives it as it is then. */
export async function setOrderStatus(tx: Db, id: string, status: Status): Promise<Order> {
  const [order] = await tx<Order[]>`
    update orders o set status = ${status}, status_changed_at = now(), updated_at = now()
    where o.id = ${id}
    returning ${orderColumns(tx)}`;
  return order!;
}

/** Cancels a locked order; `reason` is null if none was given. */
export async function setOrderCanceled(tx: Db, id: string, reason: string | null) {
  await tx`
    update orders set
      status = 'canceled', cancel_reason = ${reason}, status_changed_at = now(), updated_at = now()
    where id = ${id}`;
}

/** Takes the key's lock until the transaction ends, or says at once that somebody has it. Waits on nothing. */
export async function tryLockKey(tx: Db, lockNumber: bigint): Promise<boolean> {
  const [row] = await tx<{ locked: boolean }[]>`
    select pg_try_advisory_xact_lock(${lockNumber.toString()}::bigint) as locked`;
  return row!.locked;
}

/** What a placement has to know before it charges. */
export interface PlacementFacts {
  /** Null: the customer's account is gone. */
  role: Role | null;
  /** Whether the key was ever used; what that means for this placement, `findEarlierPayment` knows. */
  tried_before: boolean;
  /** Another one after each change of the catalog. */
  catalog_version: string;
}

/** The key of a placement; without one nothing is known of an earlier try. */
interface CustomerKey {
  customerId: string;
  keyHash: Buffer | null;
}

/** All of it in one statement, for a round trip costs more than any of them. */
export async function findPlacementFacts(
  tx: Db,
  { customerId, keyHash }: CustomerKey,
): Promise<PlacementFacts> {
  const [facts] = await tx<[PlacementFacts]>`
    select
      (${selectRole(tx, customerId)}) as role,
      exists (${selectPaymentsOfKey(tx, customerId, keyHash)}) as tried_before,
      (select version from menu_version) as catalog_version`;
  return facts;
}

export interface PaidOrder {
  customer_id: string;
  total_cents: number;
  lines: PricedLine[];
  fulfillment: Fulfillment;
  metadata: Record<string, unknown> | null;
  notes: string | null;
  keyHash: Buffer | null;
  requestHash: Buffer;
  payment_id: string;
  /** Null when there was nothing to pay and no provider was called. */
  provider_response: ProviderResponse | null;
}

/**
 * Writes an order with all that belongs to it in one statement: the lines, the event, the payment's outcome, by which
 * its key is known to have made it. Gives undefined, and has written nothing, if the payment is no longer one to take.
 */
export async function insertPaidOrder(tx: Db, paid: PaidOrder): Promise<Order | undefined> {
  // The transaction's own now() is before the charge, which may have taken seconds.
  const now = new Date().toISOString();
  const items: OrderItem[] = paid.lines.map((line) => ({ id: newId(), ...line }));
  const order: Omit<Order, "number"> = {
    id: newId(),
    customer_id: paid.customer_id,
    status: "waiting",
    payment_status: "paid",
    total_cents: paid.total_cents,
    items,
    fulfillment: paid.fulfillment,
    metadata: paid.metadata,
    notes: paid.notes,
    created_at: now,
    updated_at: now,
  };
  // The event's data, but for the number, which the order gets in the statement.
  const { id, ...rest } = order;
  const beforeNumber = `{"id":${JSON.stringify(id)},"number":`;
  const afterNumber = JSON.stringify(rest).replace("{", ",");
  const [written] = await tx<{ number: number }[]>`
    with taken_payment as (
      ${
        paid.provider_response
          ? // Compare and set: a payment whose refund has begun, however late this commit comes, is not taken.
            tx`
            update payments set
              order_id = ${order.id}, status = 'succeeded', updated_at = now(),
              response = ${tx.json(paid.provider_response as never)}
            where id = ${paid.payment_id} and order_id is null and status in ('pending', 'unknown')
            returning id`
          : tx`
            insert into payments (id, order_id, customer_id, amount_cents, status, key_hash, request_hash)
            values (
              ${paid.payment_id}, ${order.id}, ${order.customer_id}, ${order.total_cents}, 'succeeded',
              ${paid.keyHash}, ${paid.requestHash}
            )
            returning id`
      }
    ),
    new_order as (
      insert into orders (
        id, customer_id, total_cents, fulfillment, metadata, notes, created_at, updated_at, status_changed_at
      )
      select
        ${order.id}, ${order.customer_id}, ${order.total_cents}, ${tx.json(order.fulfillment as never)},
        ${order.metadata && tx.json(order.metadata as never)}, ${order.notes}, ${now}, ${now}, ${now}
      from taken_payment
      returning id, number
    ),
    new_items as (
      insert into order_items (
        id, order_id, position, product_id, variation_id, product_name, variation_name, options,
        quantity, unit_price_cents, total_cents, notes
      )
      select
        item.id, new_order.id, position, product_id, variation_id, product_name, variation_name, options,
        quantity, unit_price_cents, total_cents, notes
      from new_order, rows from (
        jsonb_to_recordset(${tx.json(items as never)}) as (
          id uuid, product_id uuid, variation_id uuid, product_name text, variation_name text, options jsonb,
          quantity smallint, unit_price_cents integer, total_cents integer, notes text
        )
      ) with ordinality as item (
        id, product_id, variation_id, product_name, variation_name, options,
        quantity, unit_price_cents, total_cents, notes, position
      )
    ),
    event as (
      insert into events (id, type, subject_id, data, created_at)
      select
        ${newId()}::uuid, 'order.created', new_order.id,
        (${beforeNumber} || new_order.number || ${afterNumber})::json, ${now}
      from new_order
    )
    select number from new_order`;
  return written && { ...order, number: written.number };
}
