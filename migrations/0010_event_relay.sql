-- Up Migration

-- When within its subject an event was written. Neither its id nor created_at tells: ids are made by the instances'
-- clocks, created_at is when the transaction began, and it may have waited for the row that it changes. This number is
-- taken when the row is written, under the lock on what it tells of. Numbers of rolled back events are gaps that nobody
-- sees: followers have seq.
alter table events add column written_no bigint generated always as identity;
drop index events_not_yet_stamped;
create index events_not_yet_stamped on events (written_no) where seq is null;

-- The last seq that was given out. A row and not a sequence: it is counted up in the transaction of the stamping, so
-- that one that is rolled back leaves no gap.
create table event_relay (
  only_row boolean constraint event_relay_has_one_row primary key default true check (only_row),
  last_seq bigint not null default 0
);
insert into event_relay default values;

-- How far each sink has come, whether it is configured at the moment or not.
create table event_sinks (
  name text constraint event_sinks_name_is_unique primary key,
  -- The last seq that it has.
  position bigint not null default 0 constraint event_sinks_position_is_not_negative check (position >= 0),
  -- Where its own end was after that, by which a sink that can lose what it had (Redis) is seen to have lost it.
  mark text,
  updated_at timestamptz not null default now()
);

-- Events that a sink will never take, as they are too large for it. It went on without them; the event itself stays in
-- events until it is old. No foreign key, for this word of it stays longer.
create table event_refusals (
  sink text not null,
  event_id uuid not null,
  seq bigint not null,
  error text not null,
  created_at timestamptz not null default now(),
  constraint event_refusals_are_recorded_once primary key (sink, event_id)
);

-- Down Migration

drop table event_refusals;
drop table event_sinks;
drop table event_relay;
drop index events_not_yet_stamped;
alter table events drop column written_no;
create index events_not_yet_stamped on events (id) where seq is null;
