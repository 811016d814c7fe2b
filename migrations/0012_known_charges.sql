-- Up Migration

-- When the provider said that it had charged what no order could take any more: it was being given back already, because
-- nobody had heard of it for so long. A provider that knew nothing of it when it was asked to give it back (404) was then
-- asked too early, and is asked again.
alter table payments add column charged_at timestamptz;

-- Down Migration

alter table payments drop column charged_at;
