-- Up Migration

-- A graphile-worker job sends each refund. It keeps the schedule, so the refund no longer does.
drop index refunds_to_send;
alter table refunds
  drop column next_attempt_at,
  drop column tried_since;

-- Cents that the provider has given back. The ledger of charges shows it without reading refunds.
alter table payments add column refunded_cents integer not null default 0;
update payments p set refunded_cents = r.cents
from (
  select payment_id, sum(amount_cents)::integer as cents from refunds where status = 'succeeded' group by payment_id
) r
where r.payment_id = p.id;
alter table payments add constraint payments_refund_at_most_what_was_charged
  check (refunded_cents between 0 and amount_cents);

-- Down Migration

alter table payments drop column refunded_cents;
alter table refunds
  add column next_attempt_at timestamptz not null default now(),
  add column tried_since timestamptz not null default now();
create index refunds_to_send on refunds (next_attempt_at) where status = 'pending';
