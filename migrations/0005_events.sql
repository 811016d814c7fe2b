-- Up Migration

-- What happened, written in the transaction of the change. seq is stamped after the commit, by one relay at a time.
create table events (
  id uuid constraint events_id_is_unique primary key,
  seq bigint,
  type text not null,
  subject_id uuid not null,
  data jsonb not null,
  created_at timestamptz not null default now()
);

create unique index events_seq_is_unique on events (seq);
create index events_not_yet_stamped on events (id) where seq is null;
create index events_by_subject on events (subject_id, seq);

-- What the notification provider is to be told, one row for each change of an order's status; the row and the job
-- that sends it are written in the transaction of the change. failed: the last try failed, and more may follow.
create table notifications (
  id uuid constraint notifications_id_is_unique primary key,
  order_id uuid not null constraint notifications_are_about_an_order references orders on delete restrict,
  order_status text not null,
  status text not null default 'pending'
    constraint notifications_status_is_known check (status in ('pending', 'sent', 'failed')),
  attempts integer not null default 0 constraint notifications_attempts_are_counted check (attempts >= 0),
  -- The provider's last answer: { status, body } or { error }.
  response jsonb,
  created_at timestamptz not null default now(),
  sent_at timestamptz
);

create index notifications_by_order on notifications (order_id);
create index notifications_by_status on notifications (status, id desc);

-- Down Migration

drop table notifications;
drop table events;
