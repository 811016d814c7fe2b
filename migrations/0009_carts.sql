-- Up Migration

create table carts (
  id uuid constraint carts_id_is_unique primary key,
  user_id uuid not null constraint carts_belong_to_a_user references users on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint carts_one_for_each_user unique (user_id)
);

-- What a line is: a product with this variation, these options (sorted) and these notes. Added again, it is the same
-- line with a larger quantity.
create table cart_items (
  id uuid constraint cart_items_id_is_unique primary key,
  cart_id uuid not null constraint cart_items_belong_to_a_cart references carts on delete cascade,
  product_id uuid not null constraint cart_items_are_of_a_product references products on delete restrict,
  variation_id uuid,
  option_ids uuid[] not null default '{}',
  notes text not null default '',
  quantity smallint not null constraint cart_items_quantity_is_one_to_a_hundred check (quantity between 1 and 100),
  -- Of one, when it was last added: only to tell that it has changed since. A cart is always priced anew.
  seen_price_cents integer not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- The notes by their hash, for an index entry can't hold the longest ones.
create unique index cart_items_each_line_once
  on cart_items (cart_id, product_id, variation_id, option_ids, md5(notes)) nulls not distinct;
create index cart_items_by_product on cart_items (product_id);

-- A finished order that its owner has put away: it leaves his list, and nothing else.
alter table orders add column put_away_at timestamptz;
alter table orders add column cancel_reason text;

create index orders_in_history on orders (customer_id, id desc) where put_away_at is null;

-- The day that a refund is tried for begins again when a manager tries it again.
alter table refunds add column tried_since timestamptz not null default now();

-- Down Migration

alter table refunds drop column tried_since;
drop index orders_in_history;
alter table orders drop column cancel_reason;
alter table orders drop column put_away_at;
drop table cart_items;
drop table carts;
