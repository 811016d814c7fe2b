-- Up Migration

-- The menu's version, one row: a new one with each change of the catalog, in the transaction of that change. What is
-- kept of the menu is kept under its version, so that an old copy that is written late is never taken for the new one.
-- Random, not a counter: a database that is restored or made anew never meets a copy of another one's menu.
--
-- An edit takes this row before any other, so that edits of the catalog take turns and none can deadlock.
create table menu_version (version uuid not null);
create unique index menu_version_is_one_row on menu_version ((true));
insert into menu_version values (gen_random_uuid());

create function menu_changed() returns trigger language plpgsql as $$
begin
  update menu_version set version = gen_random_uuid();
  notify menu_changed;
  return null;
end $$;

-- Whoever changes the catalog, psql too, tells every instance at the commit. Before, not after: a statement takes the
-- version's row before its own rows, as an edit by the API does.
create trigger categories_are_on_the_menu before insert or update or delete or truncate on categories
  for each statement execute function menu_changed();
create trigger products_are_on_the_menu before insert or update or delete or truncate on products
  for each statement execute function menu_changed();
create trigger variations_are_on_the_menu before insert or update or delete or truncate on variations
  for each statement execute function menu_changed();
create trigger option_groups_are_on_the_menu before insert or update or delete or truncate on option_groups
  for each statement execute function menu_changed();
create trigger options_are_on_the_menu before insert or update or delete or truncate on options
  for each statement execute function menu_changed();

-- A product as everybody may see it.
create view menu_products as
select
  id, name, description, category_id, image_url, base_price_cents, available, variations, option_groups
from product_details
where archived_at is null;

create index categories_in_order on categories (sort_order, lower(name), id) where archived_at is null;

-- Uploaded pictures; a product's image_url is '/images/' || name. bytes is null for one that lies in S3.
create table images (
  name text constraint images_name_is_unique primary key,
  content_type text not null
    constraint images_content_type_is_known check (content_type in ('image/png', 'image/jpeg', 'image/webp')),
  bytes bytea constraint images_are_at_most_5_mib check (octet_length(bytes) <= 5 * 1024 * 1024),
  created_at timestamptz not null default now()
);

-- Pictures are compressed already.
alter table images alter column bytes set storage external;

create index products_by_image on products (image_url) where image_url like '/images/%';

-- A picture goes with the last product that shows it, however that product was changed. An archived product keeps its
-- own. What lies in S3 is removed there by a job.
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

create trigger products_replace_images after update of image_url on products
  for each row when (old.image_url like '/images/%' and old.image_url is distinct from new.image_url)
  execute function remove_unused_image();

-- What the shop shows above the menu. Archived, not deleted, as everything in the catalog.
create table promotions (
  id uuid constraint promotions_id_is_unique primary key,
  title text not null constraint promotions_title_is_not_blank check (btrim(title) <> ''),
  description text,
  image_url text,
  link_url text,
  sort_order integer not null default 0,
  -- Shown from starts_at, until before ends_at; null: from ever, for ever.
  starts_at timestamptz,
  ends_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  constraint promotions_end_after_they_start check (ends_at > starts_at)
);

create index promotions_in_order on promotions (sort_order, id) where archived_at is null;

-- Down Migration

drop table promotions;
drop trigger products_replace_images on products;
drop function remove_unused_image;
drop index products_by_image;
drop table images;
drop index categories_in_order;
drop view menu_products;
drop trigger options_are_on_the_menu on options;
drop trigger option_groups_are_on_the_menu on option_groups;
drop trigger variations_are_on_the_menu on variations;
drop trigger products_are_on_the_menu on products;
drop trigger categories_are_on_the_menu on categories;
drop function menu_changed;
drop table menu_version;
