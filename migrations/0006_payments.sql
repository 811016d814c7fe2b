-- Up Migration

-- The ledger of charges. A row is committed on a separate connection before the provider is called, and its id is the
-- provider's Idempotency-Key. So a crash or a rolled back order never leaves an unrecorded charge.
--
-- pending: the provider is called, or about to be called. unknown: the call had no clear result. Each order has exactly
-- one payment. The reconciler refunds a pending or unknown payment that gets no order.
create table payments (
  id uuid constraint payments_id_is_unique primary key,
  order_id uuid constraint payments_pay_for_an_order references orders on delete restrict,
  customer_id uuid not null constraint payments_belong_to_a_customer references users on delete restrict,
  amount_cents integer not null constraint payments_amount_is_not_negative check (amount_cents >= 0),
  status text not null
    constraint payments_status_is_known
      check (status in ('pending', 'succeeded', 'failed', 'unknown', 'refund_pending', 'refunded', 'refund_due')),
  -- The SHA-256 of the Idempotency-Key and of the request. A retry with the same key finds the charge or order of the
  -- first request.
  key_hash bytea,
  request_hash bytea not null,
  -- The provider's last response, without secrets: { status, body } or { error }.
  response jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- The number of requests that tried this charge. Two can run at once after the first one lost its connection.
  attempts integer not null default 1 constraint payments_attempts_are_positive check (attempts > 0),
  -- The time just before the last call of the provider.
  attempted_at timestamptz not null default now(),
  -- When the provider reported a charge whose refund had already started. If the provider answered that refund with
  -- 404, the refund came before the charge and is sent again.
  charged_at timestamptz,
  -- The sum of the refunds that succeeded, so that lists of payments do not read refunds.
  refunded_cents integer not null default 0,
  constraint payments_refund_at_most_what_was_charged check (refunded_cents between 0 and amount_cents),
  constraint payments_that_succeeded_have_an_order check (status <> 'succeeded' or order_id is not null),
  constraint payments_that_failed_have_no_order check (status <> 'failed' or order_id is null)
);

-- Two indexes are partial, so that most payments write no entry into them. A query for succeeded payments scans the
-- primary key, because most payments succeed.
create unique index payments_are_unique_by_order on payments (order_id) where order_id is not null;
create index payments_by_status on payments (status, id desc) where status <> 'succeeded';
create index payments_by_customer_and_key_hash on payments (customer_id, key_hash);

-- A refund of a payment, in part or in full. Its id is the provider's Idempotency-Key at each attempt. A graphile-worker
-- job sends it and keeps the schedule of its attempts.
--
-- failed: the provider has no such charge. due: all attempts are over, and an employee must return the money.
create table refunds (
  id uuid constraint refunds_id_is_unique primary key,
  payment_id uuid not null constraint refunds_return_a_payment references payments on delete restrict,
  amount_cents integer not null constraint refunds_amount_is_positive check (amount_cents > 0),
  status text not null default 'pending'
    constraint refunds_status_is_known check (status in ('pending', 'succeeded', 'failed', 'due')),
  reason text not null,
  attempts integer not null default 0 constraint refunds_attempts_are_not_negative check (attempts >= 0),
  -- The provider's last response, without secrets: { status, headers, body } or { error }.
  response jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index refunds_by_payment on refunds (payment_id);
create index refunds_by_status on refunds (status, id desc);

-- Differences between money and orders. It is empty when no work is in progress. charge_without_order: the reconciler
-- will refund it. refund_due: an employee must return the money. order_without_charge: must never occur.
create view payments_out_of_balance as
select id as payment_id, order_id, amount_cents, 'charge_without_order' as problem, attempted_at as since
from payments
where order_id is null and status in ('pending', 'unknown', 'refund_pending')
union all
select p.id, p.order_id, r.amount_cents, 'refund_due', r.updated_at
from refunds r
join payments p on p.id = r.payment_id
where r.status = 'due'
union all
select null, o.id, o.total_cents, 'order_without_charge', o.created_at
from orders o
where not exists (select from payments p where p.order_id = o.id);

-- Down Migration

drop view payments_out_of_balance;
drop table refunds;
drop table payments;
