-- Up Migration

-- The transactional outbox. The transaction of a change inserts its event. One publisher at a time assigns seq after
-- the commit. Consumers follow seq, which has no gaps.
create table events (
  id uuid constraint events_id_is_unique primary key,
  -- Null until the publisher assigns it.
  seq bigint,
  -- The order in which events were inserted. The writer holds the lock on the subject's row, so that this order is
  -- right for each subject. The id and created_at are not: instances have different clocks, and a transaction can wait
  -- for the row after it began. A rolled back event leaves a gap.
  insert_no bigint generated always as identity,
  type text not null,
  subject_id uuid not null,
  -- json and not jsonb: the text is written once and sent without a change.
  data json not null,
  created_at timestamptz not null default now()
);

-- Partial indexes: inserting an event writes no entry into the two by seq.
create unique index events_seq_is_unique on events (seq) where seq is not null;
create index events_by_subject on events (subject_id, seq) where seq is not null;
create index events_without_seq on events (insert_no) where seq is null;

-- The last assigned seq, in one row. It is not a sequence, because a rolled back assignment must leave no gap.
create table event_sequence (
  only_row boolean default true
    constraint event_sequence_row_is_unique primary key
    constraint event_sequence_has_one_row check (only_row),
  last_seq bigint not null default 0 constraint event_sequence_last_seq_is_not_negative check (last_seq >= 0)
);
insert into event_sequence default values;

-- The position of each sink. A row stays while its sink is not configured.
create table event_sinks (
  name text constraint event_sinks_name_is_unique primary key,
  -- The seq of the last event that the sink has stored.
  position bigint not null default 0 constraint event_sinks_position_is_not_negative check (position >= 0),
  -- The last entry's id in the sink. Redis can lose entries, and another last entry reveals that.
  cursor text,
  updated_at timestamptz not null default now()
);

-- Events that a sink rejected for good, because they are too large. The sink continued without them. event_id is not a
-- foreign key, because this row stays longer than the event.
create table event_dead_letters (
  sink text not null,
  event_id uuid not null,
  seq bigint not null,
  error text not null,
  created_at timestamptz not null default now(),
  constraint event_dead_letters_are_unique_by_sink_and_event primary key (sink, event_id)
);

-- Down Migration

drop table event_dead_letters;
drop table event_sinks;
drop table event_sequence;
drop table events;
