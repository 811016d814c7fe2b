-- Up Migration

-- The short number that staff call out. It comes from a sequence, so that orders do not wait for each other. The
-- sequence starts again after 999, and a rolled back order leaves a gap.
create sequence order_numbers as smallint minvalue 1 maxvalue 999 cycle;

-- An order is inserted only after its payment succeeded. Its row is never deleted.
create table orders (
  id uuid constraint orders_id_is_unique primary key,
  number smallint not null default nextval('order_numbers')
    constraint orders_number_is_1_to_999 check (number between 1 and 999),
  customer_id uuid not null constraint orders_belong_to_a_customer references users on delete restrict,
  status text not null default 'waiting'
    constraint orders_status_is_known check (status in ('waiting', 'preparation', 'ready', 'delivered', 'canceled')),
  payment_status text not null default 'paid'
    constraint orders_payment_status_is_known
      check (payment_status in ('paid', 'partially_refunded', 'refund_pending', 'refunded', 'refund_due')),
  total_cents integer not null constraint orders_total_is_not_negative check (total_cents >= 0),
  fulfillment jsonb not null,
  metadata jsonb,
  notes text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- When the order entered its current status.
  status_changed_at timestamptz not null default now(),
  cancel_reason text,
  -- When the customer removed the finished order from their list. Staff still see it.
  hidden_at timestamptz
);

alter sequence order_numbers owned by orders.number;

-- Lists page by the id, a UUIDv7: the newest order comes first.
create index orders_by_customer on orders (customer_id, id desc);
create index orders_in_history on orders (customer_id, id desc) where hidden_at is null;
create index orders_by_status on orders (status, id desc);
create index orders_by_creation on orders (created_at);

-- The lines of a receipt. Names and prices are copies of what the customer saw and paid. product_id and variation_id
-- are not foreign keys: a key would lock the row of a popular product at each sale.
create table order_items (
  id uuid constraint order_items_id_is_unique primary key,
  order_id uuid not null constraint order_items_belong_to_an_order references orders on delete restrict,
  position smallint not null,
  product_id uuid not null,
  variation_id uuid,
  product_name text not null,
  variation_name text,
  options jsonb not null default '[]',
  quantity smallint not null constraint order_items_quantity_is_1_to_100 check (quantity between 1 and 100),
  unit_price_cents integer not null constraint order_items_unit_price_is_not_negative check (unit_price_cents >= 0),
  total_cents integer not null
    constraint order_items_total_is_quantity_times_price check (total_cents = quantity * unit_price_cents),
  notes text
);

create index order_items_by_order on order_items (order_id, position);

-- Down Migration

drop table order_items;
drop table orders;
