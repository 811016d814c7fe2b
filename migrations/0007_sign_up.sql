-- Up Migration

-- The address that a user wants to sign in with and has yet to prove. Until then he signs in with the old one.
-- Nobody holds it for longer than two days without proof, as with signing up.
alter table users
  add pending_email text
    constraint users_pending_email_is_lower_case_and_trimmed check (pending_email = lower(btrim(pending_email))),
  add pending_email_since timestamptz;

create unique index users_pending_email_is_taken_once on users (pending_email);
create index users_not_yet_verified on users (created_at) where verified_at is null;
create index users_by_role on users (role, id desc);

-- A one-time code for an address. The row is written when a code is asked for, whether or not anybody has that address,
-- so that the request does the same for all; the job that sends the code makes it, and fills in whose it is. The next
-- code for the same purpose and address takes the row over, which voids the one before.
create table codes (
  id uuid constraint codes_id_is_unique primary key,
  purpose text not null
    constraint codes_purpose_is_known check (purpose in ('verify_email', 'change_email', 'reset_password')),
  email text not null,
  user_id uuid constraint codes_belong_to_a_user references users on delete cascade,
  -- HMAC under a key that isn't in the database: a copy of this table can't be searched for the code.
  code_hash bytea,
  tries smallint not null default 0 constraint codes_are_tried_five_times check (tries between 0 and 5),
  asked_at timestamptz not null default now(),
  made_at timestamptz,
  expires_at timestamptz,
  used_at timestamptz,
  constraint codes_are_one_for_each_purpose_and_address unique (purpose, email),
  constraint codes_are_whole check (num_nulls(user_id, code_hash, made_at, expires_at) in (0, 4))
);

create index codes_by_email on codes (email);
create index codes_by_user on codes (user_id);

-- A way to sign in that someone else vouches for. It is written only with that provider's proof.
create table identities (
  id uuid constraint identities_id_is_unique primary key,
  user_id uuid not null constraint identities_belong_to_a_user references users on delete cascade,
  provider text not null constraint identities_provider_is_known check (provider in ('telegram')),
  provider_id text not null,
  username text,
  created_at timestamptz not null default now(),
  constraint identities_are_taken_once unique (provider, provider_id)
);

create index identities_by_user on identities (user_id, id desc);
create index identities_by_username on identities (lower(username));

create index refresh_tokens_by_expiry on refresh_tokens (expires_at);

-- Down Migration

drop index refresh_tokens_by_expiry;
drop table identities;
drop table codes;
drop index users_by_role;
drop index users_not_yet_verified;
alter table users drop pending_email, drop pending_email_since;
