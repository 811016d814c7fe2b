-- Up Migration

-- When the order came to the status that it has, to tell how long each takes.
alter table orders add column status_changed_at timestamptz not null default now();

-- Down Migration

alter table orders drop column status_changed_at;
