-- Up Migration

-- Catalog rows are never deleted. archived_at takes a row off the menu, and receipts still name it.
--
-- sold_out_until says whether an item is available. Null: available. A future time: sold out until then. 'infinity':
-- sold out until an employee changes it. A past time: available again.

create table categories (
  id uuid constraint categories_id_is_unique primary key,
  name text not null constraint categories_name_is_not_blank check (btrim(name) <> ''),
  description text,
  sort_order integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz
);

create unique index categories_name_is_unique on categories (lower(name)) where archived_at is null;
create index categories_in_order on categories (sort_order, lower(name), id) where archived_at is null;

create table products (
  id uuid constraint products_id_is_unique primary key,
  category_id uuid constraint products_belong_to_a_category references categories on delete restrict,
  name text not null constraint products_name_is_not_blank check (btrim(name) <> ''),
  description text,
  image_url text,
  base_price_cents integer not null
    constraint products_base_price_is_0_to_100000_cents check (base_price_cents between 0 and 100000),
  sold_out_until timestamptz,
  -- Each change of the product, its variations or its options raises it. It is the ETag that If-Match compares.
  version integer not null default 1 constraint products_version_is_positive check (version > 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz
);

create unique index products_name_is_unique on products (lower(name)) where archived_at is null;
create index products_by_category on products (category_id);
create index products_by_image on products (image_url) where image_url like '/images/%';

-- The three tables below check their names at the commit, so that one edit can swap two names.

create table variations (
  id uuid constraint variations_id_is_unique primary key,
  product_id uuid not null constraint variations_belong_to_a_product references products on delete restrict,
  name text not null constraint variations_name_is_not_blank check (btrim(name) <> ''),
  price_change_cents integer not null
    constraint variations_price_change_is_at_most_100000_cents check (price_change_cents between -100000 and 100000),
  position smallint not null,
  sold_out_until timestamptz,
  archived_at timestamptz,
  constraint variations_name_is_unique_in_a_product
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
  constraint option_groups_max_is_positive check (max_select >= 1),
  constraint option_groups_name_is_unique_in_a_product
    exclude using btree (product_id with =, lower(name) with =) where (archived_at is null)
    deferrable initially deferred
);

create index option_groups_by_product on option_groups (product_id);

create table options (
  id uuid constraint options_id_is_unique primary key,
  option_group_id uuid not null constraint options_belong_to_a_group references option_groups on delete restrict,
  name text not null constraint options_name_is_not_blank check (btrim(name) <> ''),
  price_change_cents integer not null
    constraint options_price_change_is_at_most_100000_cents check (price_change_cents between -100000 and 100000),
  position smallint not null,
  sold_out_until timestamptz,
  archived_at timestamptz,
  constraint options_name_is_unique_in_a_group
    exclude using btree (option_group_id with =, lower(name) with =) where (archived_at is null)
    deferrable initially deferred
);

create index options_by_group on options (option_group_id);

-- A product in the form of the API, with its unarchived variations and options in their order. The staff page, the menu
-- and the pricing of an order read it. A product is available if all of this is true: it is not sold out, one of its
-- variations (if it has any) is available, and each group has at least min_select available options.
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

-- The public part of a product.
create view menu_products as
select
  id, name, description, category_id, image_url, base_price_cents, available, variations, option_groups
from product_details
where archived_at is null;

-- The version of the menu, in one row. Each change of the catalog sets a new one in its own transaction. Caches store
-- the menu under its version, so that a slow writer can't replace a newer copy. It is random and not a number, so that
-- a restored database never repeats a version that a cache has stored.
--
-- Each edit locks this row before any other, so that edits of the catalog run one after the other without deadlocks.
create table menu_version (version uuid not null);
create unique index menu_version_has_one_row on menu_version ((true));
insert into menu_version values (gen_random_uuid());

create function renew_menu_version() returns trigger language plpgsql as $$
begin
  update menu_version set version = gen_random_uuid();
  notify menu_changed;
  return null;
end $$;

-- Each change of the catalog notifies the instances, also one that is made in psql. The triggers run before the
-- statement, so that it locks the version's row before its own rows.
create trigger categories_renew_the_menu_version before insert or update or delete or truncate on categories
  for each statement execute function renew_menu_version();
create trigger products_renew_the_menu_version before insert or update or delete or truncate on products
  for each statement execute function renew_menu_version();
create trigger variations_renew_the_menu_version before insert or update or delete or truncate on variations
  for each statement execute function renew_menu_version();
create trigger option_groups_renew_the_menu_version before insert or update or delete or truncate on option_groups
  for each statement execute function renew_menu_version();
create trigger options_renew_the_menu_version before insert or update or delete or truncate on options
  for each statement execute function renew_menu_version();

-- Uploaded images. A product's image_url is '/images/' || name. bytes is null if the image is stored in S3.
create table images (
  name text constraint images_name_is_unique primary key,
  content_type text not null
    constraint images_content_type_is_known check (content_type in ('image/png', 'image/jpeg', 'image/webp')),
  bytes bytea constraint images_are_at_most_5_mib check (octet_length(bytes) <= 5 * 1024 * 1024),
  created_at timestamptz not null default now()
);

-- Image files are compressed already.
alter table images alter column bytes set storage external;

-- Deletes an image when the last product that shows it gets another one. An archived product keeps its image. A job
-- removes the file if it is stored in S3.
create function remove_unused_image() returns trigger language plpgsql as $$
declare
  removed text;
  stored boolean;
begin
  delete from images
  where name = substr(old.image_url, length('/images/') + 1)
    and not exists (select from products where image_url = old.image_url)
  returning name, bytes is null into removed, stored;
  if stored then
    perform graphile_worker.add_job('remove_stored_image', json_build_object('name', removed));
  end if;
  return null;
end $$;

create trigger products_remove_their_replaced_image after update of image_url on products
  for each row when (old.image_url like '/images/%' and old.image_url is distinct from new.image_url)
  execute function remove_unused_image();

-- Down Migration

drop trigger products_remove_their_replaced_image on products;
drop function remove_unused_image;
drop table images;
drop view menu_products;
drop view product_details;
drop table options;
drop table option_groups;
drop table variations;
drop table products;
drop table categories;
drop function renew_menu_version;
drop table menu_version;
