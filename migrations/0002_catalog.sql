-- Up Migration

-- Nothing in the catalog is deleted: archived_at takes a row off the menu, and receipts go on to name it.
--
-- Sold out is one column. sold_out_until is null: available. In the future: sold out until then. 'infinity': until
-- somebody says otherwise. In the past: available again, by itself.

create table categories (
  id uuid constraint categories_id_is_unique primary key,
  name text not null constraint categories_name_is_not_blank check (btrim(name) <> ''),
  description text,
  sort_order integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz
);

create unique index categories_name_is_taken_once on categories (lower(name)) where archived_at is null;

create table products (
  id uuid constraint products_id_is_unique primary key,
  category_id uuid constraint products_belong_to_a_category references categories on delete restrict,
  name text not null constraint products_name_is_not_blank check (btrim(name) <> ''),
  description text,
  image_url text,
  base_price_cents integer not null
    constraint products_base_price_is_within_bounds check (base_price_cents between 0 and 100000),
  sold_out_until timestamptz,
  -- Raised by every change of the product or of a row below it; the ETag of the office's If-Match.
  version integer not null default 1 constraint products_version_counts_up check (version > 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz
);

create unique index products_name_is_taken_once on products (lower(name)) where archived_at is null;
create index products_by_category on products (category_id);

-- The names below are unique within their list. Deferred to the commit, so that one edit may swap two names.

create table variations (
  id uuid constraint variations_id_is_unique primary key,
  product_id uuid not null constraint variations_belong_to_a_product references products on delete restrict,
  name text not null constraint variations_name_is_not_blank check (btrim(name) <> ''),
  price_change_cents integer not null
    constraint variations_price_change_is_within_bounds check (price_change_cents between -100000 and 100000),
  position smallint not null,
  sold_out_until timestamptz,
  archived_at timestamptz,
  constraint variations_name_is_taken_once_in_a_product
    exclude using btree (product_id with =, lower(name) with =) where (archived_at is null)
    deferrable initially deferred
);

create index variations_by_product on variations (product_id);

create table option_groups (
  id uuid constraint option_groups_id_is_unique primary key,
  product_id uuid not null constraint option_groups_belong_to_a_product references products on delete restrict,
  name text not null constraint option_groups_name_is_not_blank check (btrim(name) <> ''),
  min_select smallint not null,
  max_select smallint not null,
  position smallint not null,
  archived_at timestamptz,
  constraint option_groups_min_is_not_over_max check (0 <= min_select and min_select <= max_select),
  constraint option_groups_max_lets_something_be_chosen check (max_select >= 1),
  constraint option_groups_name_is_taken_once_in_a_product
    exclude using btree (product_id with =, lower(name) with =) where (archived_at is null)
    deferrable initially deferred
);

create index option_groups_by_product on option_groups (product_id);

create table options (
  id uuid constraint options_id_is_unique primary key,
  option_group_id uuid not null constraint options_belong_to_a_group references option_groups on delete restrict,
  name text not null constraint options_name_is_not_blank check (btrim(name) <> ''),
  price_change_cents integer not null
    constraint options_price_change_is_within_bounds check (price_change_cents between -100000 and 100000),
  position smallint not null,
  sold_out_until timestamptz,
  archived_at timestamptz,
  constraint options_name_is_taken_once_in_a_group
    exclude using btree (option_group_id with =, lower(name) with =) where (archived_at is null)
    deferrable initially deferred
);

create index options_by_group on options (option_group_id);

-- A product as the API shows it, with what is below it and not archived, in the order of the menu. The office, the menu
-- and the pricing of an order all read this. A product is available if it isn't sold out itself, one of its variations
-- (if it has any) is available, and each group still has as many available options as it asks for.
create view product_details as
select
  p.id, p.name, p.description, p.category_id, p.image_url, p.base_price_cents,
  coalesce(p.sold_out_until <= now(), true)
    and coalesce(v.one_is_available, true)
    and coalesce(g.all_can_be_satisfied, true) as available,
  coalesce(v.list, '[]') as variations,
  coalesce(g.list, '[]') as option_groups,
  p.version, p.created_at, p.updated_at, p.archived_at
from products p
left join lateral (
  select
    json_agg(json_build_object(
      'id', v.id, 'name', v.name, 'price_change_cents', v.price_change_cents,
      'price_cents', p.base_price_cents + v.price_change_cents,
      'available', coalesce(v.sold_out_until <= now(), true)
    ) order by v.position) as list,
    bool_or(coalesce(v.sold_out_until <= now(), true)) as one_is_available
  from variations v
  where v.product_id = p.id and v.archived_at is null
) v on true
left join lateral (
  select
    json_agg(json_build_object(
      'id', g.id, 'name', g.name, 'min_select', g.min_select, 'max_select', g.max_select, 'options', o.list
    ) order by g.position) as list,
    bool_and(o.available >= g.min_select) as all_can_be_satisfied
  from option_groups g
  cross join lateral (
    select
      coalesce(json_agg(json_build_object(
        'id', o.id, 'name', o.name, 'price_change_cents', o.price_change_cents,
        'available', coalesce(o.sold_out_until <= now(), true)
      ) order by o.position), '[]') as list,
      count(*) filter (where coalesce(o.sold_out_until <= now(), true)) as available
    from options o
    where o.option_group_id = g.id and o.archived_at is null
  ) o
  where g.product_id = p.id and g.archived_at is null
) g on true;

-- Down Migration

drop view product_details;
drop table options;
drop table option_groups;
drop table variations;
drop table products;
drop table categories;
