-- Up Migration

create table carts (
  id uuid constraint carts_id_is_unique primary key,
  user_id uuid not null constraint carts_belong_to_a_user references users on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint carts_are_unique_by_user unique (user_id)
);

-- A line is a product with one variation, sorted options and notes. Adding the same line again raises its quantity.
create table cart_items (
  id uuid constraint cart_items_id_is_unique primary key,
  cart_id uuid not null constraint cart_items_belong_to_a_cart references carts on delete cascade,
  product_id uuid not null constraint cart_items_are_of_a_product references products on delete restrict,
  variation_id uuid,
  option_ids uuid[] not null default '{}',
  notes text not null default '',
  quantity smallint not null constraint cart_items_quantity_is_1_to_100 check (quantity between 1 and 100),
  -- The unit price when the line was last added. It only serves to report a changed price: reading the cart prices
  -- each line again.
  seen_price_cents integer not null
    constraint cart_items_seen_price_is_not_negative check (seen_price_cents >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- The index has the hash of the notes, because long notes do not fit into an index entry.
create unique index cart_items_are_unique
  on cart_items (cart_id, product_id, variation_id, option_ids, md5(notes)) nulls not distinct;
create index cart_items_by_product on cart_items (product_id);

-- Down Migration

drop table cart_items;
drop table carts;
