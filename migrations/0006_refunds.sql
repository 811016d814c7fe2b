-- Up Migration

-- Money on its way back: a part or the whole of one payment. The row is the job: whoever works takes the rows whose
-- next_attempt_at has come, moves it on before calling the provider, and so leaves it to the next one if he dies.
-- Its id is the provider's Idempotency-Key, the same on every try.
--
-- due: nothing of ours will send it any more; a human has to. failed: the provider never saw the charge.
create table refunds (
  id uuid constraint refunds_id_is_unique primary key,
  payment_id uuid not null constraint refunds_give_back_a_payment references payments on delete restrict,
  amount_cents integer not null constraint refunds_amount_is_positive check (amount_cents > 0),
  status text not null default 'pending'
    constraint refunds_status_is_known check (status in ('pending', 'succeeded', 'failed', 'due')),
  reason text not null,
  attempts integer not null default 0 constraint refunds_attempts_are_counted check (attempts >= 0),
  next_attempt_at timestamptz not null default now(),
  -- The provider's last answer, secrets redacted: { status, headers, body } or { error }.
  response jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index refunds_by_payment on refunds (payment_id);
create index refunds_to_send on refunds (next_attempt_at) where status = 'pending';
create index refunds_by_status on refunds (status, id desc);

-- Where the money and the orders disagree; empty at rest. charge_without_order: asked for, and not yet settled.
-- refund_due: a human has to give it back. order_without_charge: must never be seen.
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
