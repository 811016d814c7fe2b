-- Up Migration

-- The short number that is called across the counter. A sequence, so that taking one locks nobody; it cycles, and a
-- rolled back placement leaves a hole that nobody misses.
create sequence order_numbers as smallint minvalue 1 maxvalue 999 cycle;

-- An order exists only when it is paid.
create table orders (
  id uuid constraint orders_id_is_unique primary key,
  number smallint not null default nextval('order_numbers'),
  customer_id uuid not null constraint orders_belong_to_a_customer references users on delete restrict,
  status text not null default 'waiting' constraint orders_status_is_known
    check (status in ('waiting', 'preparation', 'ready', 'delivered', 'canceled')),
  payment_status text not null default 'paid' constraint orders_payment_status_is_known
    check (payment_status in ('paid', 'partially_refunded', 'refund_pending', 'refunded', 'refund_due')),
  total_cents integer not null constraint orders_total_is_not_negative check (total_cents >= 0),
  fulfillment jsonb not null,
  metadata jsonb,
  notes text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

alter sequence order_numbers owned by orders.number;

-- Each list is a keyset over the id (UUIDv7: newest first), by itself or behind one filter.
create index orders_by_customer on orders (customer_id, id desc);
create index orders_by_status on orders (status, id desc);
create index orders_by_creation on orders (created_at);

-- The lines of a receipt. Names and prices are what the customer saw and paid, so product_id and variation_id are
-- notes, not foreign keys: a key would let every sale lock the row of the product that everybody buys.
create table order_items (
  id uuid constraint order_items_id_is_unique primary key,
  order_id uuid not null constraint order_items_belong_to_an_order references orders on delete restrict,
  position smallint not null,
  product_id uuid not null,
  variation_id uuid,
  product_name text not null,
  variation_name text,
  options jsonb not null default '[]',
  quantity smallint not null constraint order_items_quantity_is_one_to_a_hundred check (quantity between 1 and 100),
  unit_price_cents integer not null constraint order_items_unit_price_is_not_negative check (unit_price_cents >= 0),
  total_cents integer not null
    constraint order_items_total_is_quantity_times_price check (total_cents = quantity * unit_price_cents),
  notes text
);

create index order_items_by_order on order_items (order_id, position);

-- Down Migration

drop table order_items;
drop table orders;
