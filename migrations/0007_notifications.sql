-- Up Migration

-- Messages for the notification provider, one for each change of an order's status. The transaction of the change
-- inserts the row and the job that sends it. failed: the last attempt failed, and more may follow.
create table notifications (
  id uuid constraint notifications_id_is_unique primary key,
  order_id uuid not null constraint notifications_are_about_an_order references orders on delete restrict,
  order_status text not null
    constraint notifications_order_status_is_known
      check (order_status in ('waiting', 'preparation', 'ready', 'delivered', 'canceled')),
  status text not null default 'pending'
    constraint notifications_status_is_known check (status in ('pending', 'sent', 'failed')),
  attempts integer not null default 0 constraint notifications_attempts_are_not_negative check (attempts >= 0),
  -- The provider's last response: { status, body } or { error }.
  response jsonb,
  created_at timestamptz not null default now(),
  sent_at timestamptz
);

create index notifications_by_order on notifications (order_id);
create index notifications_by_status on notifications (status, id desc);

-- Down Migration

drop table notifications;
