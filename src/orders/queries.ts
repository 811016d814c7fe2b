import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { PricedLine } from "./pricing.ts";
import type { Fulfillment, Order, Sales } from "./schemas.ts";
import type { Status } from "./status.ts";

/** The columns of an order on the wire. The table must be aliased `o`. */
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

export async function findOrder(sql: Db, id: string): Promise<Order | undefined> {
  const [order] = await sql<Order[]>`select ${orderColumns(sql)} from orders o where o.id = ${id}`;
  return order;
}

export async function findOrderOfCustomer(
  sql: Db,
  customerId: string,
  id: string,
): Promise<Order | undefined> {
  const [order] = await sql<Order[]>`
    select ${orderColumns(sql)} from orders o where o.id = ${id} and o.customer_id = ${customerId}`;
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

/** A span of time: at or after `from`, before `to`. */
export interface Span {
  from: string;
  to: string;
}

/** Returns the sales of each hour that has any; hours count from the beginning of the span. */
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

export async function hasOpenOrders(sql: Db, customerId: string): Promise<boolean> {
  const { count } = await sql`
    select from orders
    where customer_id = ${customerId} and status in ('waiting', 'preparation', 'ready')
    limit 1`;
  return count > 0;
}

/** A part of a query on `users u`. */
export const selectOrdersOfUser = (sql: Db) => sql`select from orders where customer_id = u.id`;

export const listOpenOrders = (sql: Db) => sql<Order[]>`
  select ${orderColumns(sql)}
  from orders o
  where o.status in ('waiting', 'preparation', 'ready')
  order by o.id`;

/** Returns the orders in the customer's own list, newest first: one row more than the page holds. */
export const listHistory = (sql: Db, customerId: string, page: PageRequest) => sql<Order[]>`
  select ${orderColumns(sql)}
  from orders o
  where o.customer_id = ${customerId} and o.hidden_at is null
    ${page.after ? sql`and o.id < ${page.after}` : sql``}
  order by o.id desc
  limit ${page.limit + 1}`;

/** Hides the customer's finished orders, or one of them, from their list. */
export async function hideOrders(sql: Db, customerId: string, id?: string) {
  await sql`
    update orders set hidden_at = now()
    where customer_id = ${customerId} and hidden_at is null and status in ('delivered', 'canceled')
      ${id ? sql`and id = ${id}` : sql``}`;
}

/** Locks an order until the transaction ends, and returns its present status. */
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

export async function setOrderStatus(tx: Db, id: string, status: Status): Promise<Order> {
  const [order] = await tx<Order[]>`
    update orders o set status = ${status}, status_changed_at = now(), updated_at = now()
    where o.id = ${id}
    returning ${orderColumns(tx)}`;
  return order!;
}

export async function setOrderCanceled(tx: Db, id: string, reason: string | null) {
  await tx`
    update orders set
      status = 'canceled', cancel_reason = ${reason}, status_changed_at = now(), updated_at = now()
    where id = ${id}`;
}

export interface NewOrder {
  customer_id: string;
  total_cents: number;
  lines: PricedLine[];
  fulfillment: Fulfillment;
  metadata: Record<string, unknown> | null;
  notes: string | null;
}

/** Inserts an order and returns it with its number and its items, which `insertOrderItems` inserts. */
export async function insertOrder(tx: Db, { lines, ...fields }: NewOrder): Promise<Order> {
  const id = newId();
  // now() is the start of the transaction: before the charge, which may have taken seconds.
  const now = new Date().toISOString();
  const [row] = await tx<[{ number: number }]>`
    insert into orders (
      id, customer_id, total_cents, fulfillment, metadata, notes, created_at, updated_at, status_changed_at
    )
    values (
      ${id}, ${fields.customer_id}, ${fields.total_cents}, ${tx.json(fields.fulfillment as never)},
      ${fields.metadata && tx.json(fields.metadata as never)}, ${fields.notes}, ${now}, ${now}, ${now}
    )
    returning number`;
  return {
    id,
    number: row.number,
    customer_id: fields.customer_id,
    status: "waiting",
    payment_status: "paid",
    total_cents: fields.total_cents,
    items: lines.map((line) => ({ id: newId(), ...line })),
    fulfillment: fields.fulfillment,
    metadata: fields.metadata,
    notes: fields.notes,
    created_at: now,
    updated_at: now,
  };
}

export async function insertOrderItems(tx: Db, { id: order_id, items }: Order) {
  const rows = items.map(({ options, ...item }, index) => ({
    ...item,
    order_id,
    position: index + 1,
    options: tx.json(options),
  }));
  await tx`
    insert into order_items ${tx(
      rows,
      "id",
      "order_id",
      "position",
      "product_id",
      "variation_id",
      "product_name",
      "variation_name",
      "options",
      "quantity",
      "unit_price_cents",
      "total_cents",
      "notes",
    )}`;
}

/** Returns the customers who ordered within the last hour; more than once for several orders. */
export const listRecentCustomerIds = (sql: Db) => sql<{ user_id: string }[]>`
  select customer_id as user_id from orders where created_at > now() - interval '1 hour'`;

export async function setOrderPaymentStatus(tx: Db, id: string, paymentStatus: Order["payment_status"]) {
  await tx`update orders set payment_status = ${paymentStatus}, updated_at = now() where id = ${id}`;
}
