-- Up Migration

-- A promotion is shown above the menu. Rows are archived and not deleted, as in the catalog.
create table promotions (
  id uuid constraint promotions_id_is_unique primary key,
  title text not null constraint promotions_title_is_not_blank check (btrim(title) <> ''),
  description text,
  image_url text,
  link_url text,
  sort_order integer not null default 0,
  -- The promotion is shown from starts_at until just before ends_at. Null means no limit.
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
