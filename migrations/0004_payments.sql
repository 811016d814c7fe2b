-- Up Migration

-- The ledger. A row is committed, on a connection of its own, before the provider is called; its id is the
-- provider's Idempotency-Key. So no crash, and no rollback of the order, can leave a charge that nobody knows of.
--
-- pending: called, or about to be. unknown: called, and no answer came. An order has exactly one payment; a payment
-- without an order that is pending or unknown is on its way to be settled.
create table payments (
  id uuid constraint payments_id_is_unique primary key,
  order_id uuid constraint payments_pay_for_an_order references orders on delete restrict,
  customer_id uuid not null constraint payments_belong_to_a_customer references users on delete restrict,
  amount_cents integer not null constraint payments_amount_is_not_negative check (amount_cents >= 0),
  status text not null constraint payments_status_is_known
    check (status in ('pending', 'succeeded', 'failed', 'unknown', 'refund_pending', 'refunded', 'refund_due')),
  -- The placement's idempotency key and request, as SHA-256: a retry finds the charge that its first try began.
  key_hash bytea,
  request_hash bytea not null,
  -- The provider's last answer, secrets redacted: { status, body } or { error }.
  response jsonb,
  created_at timestamptz not null default now(),
  -- How many placements have asked for it; two may do so at once, when the first one's connection was cut.
  attempts integer not null default 1 constraint payments_attempts_are_counted check (attempts > 0),
  -- When the provider was last about to be called.
  attempted_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint payments_succeeded_has_an_order check (status <> 'succeeded' or order_id is not null),
  constraint payments_failed_has_no_order check (status <> 'failed' or order_id is null)
);

create unique index payments_one_for_each_order on payments (order_id);
create index payments_by_customer_and_key on payments (customer_id, key_hash);
create index payments_without_outcome on payments (attempted_at) where status in ('pending', 'unknown');
create index payments_by_status on payments (status, id desc);

-- Which order a key made. Written in the order's transaction, never before: until then the key is held by an
-- advisory lock, which a crash releases. Only hashes are kept.
create table idempotency_keys (
  customer_id uuid not null constraint idempotency_keys_belong_to_a_customer references users on delete cascade,
  key_hash bytea not null,
  request_hash bytea not null,
  order_id uuid not null constraint idempotency_keys_made_an_order references orders on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '24 hours',
  constraint idempotency_keys_are_used_once primary key (customer_id, key_hash)
);

create index idempotency_keys_by_order on idempotency_keys (order_id);
create index idempotency_keys_by_expiry on idempotency_keys (expires_at);

-- Down Migration

drop table idempotency_keys;
drop table payments;
