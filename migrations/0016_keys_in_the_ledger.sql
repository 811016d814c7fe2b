-- Up Migration

-- What a key made is told by its payment, which has the key, the request and the order. A table that said it once more
-- was an eighth of what PostgreSQL did for an order. Its foreign keys go with it: what they point at is taken first, in the
-- order in which placing takes it.
lock table users, orders;
drop table idempotency_keys;

-- Down Migration

lock table users, orders;
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

-- Version 0.2.0 looks nowhere else.
insert into idempotency_keys (customer_id, key_hash, request_hash, order_id, created_at, expires_at)
select distinct on (customer_id, key_hash)
  customer_id, key_hash, request_hash, order_id, attempted_at, attempted_at + interval '24 hours'
from payments
where key_hash is not null and order_id is not null and attempted_at > now() - interval '24 hours'
order by customer_id, key_hash, id desc;
