-- Up Migration

-- A user is a customer, a barista or a manager. A user's row is never deleted, because orders and payments refer to it.
-- Deleting an account erases the personal data and sets deleted_at. A user with another identity provider may have
-- neither an email nor a password.
create table users (
  id uuid constraint users_id_is_unique primary key,
  email text constraint users_email_is_lower_case_and_trimmed check (email = lower(btrim(email))),
  password_hash text,
  role text not null default 'customer'
    constraint users_role_is_known check (role in ('customer', 'barista', 'manager')),
  first_name text,
  last_name text,
  phone_number text,
  verified_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  -- A new address, until the user verifies it with a code. The user signs in with the old address until then.
  -- A job clears it after two days, so that an unverified address does not stay reserved.
  pending_email text
    constraint users_pending_email_is_lower_case_and_trimmed check (pending_email = lower(btrim(pending_email))),
  pending_email_since timestamptz
);

create unique index users_email_is_unique on users (email);
create unique index users_pending_email_is_unique on users (pending_email);
create unique index users_phone_number_is_unique on users (phone_number);
create index users_by_role on users (role, id desc);
create index users_not_yet_verified on users (created_at) where verified_at is null;

-- A session is one sign-in on one device. It owns all refresh tokens that descend from that sign-in.
create table sessions (
  id uuid constraint sessions_id_is_unique primary key,
  user_id uuid not null constraint sessions_belong_to_a_user references users on delete cascade,
  user_agent text,
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  ended_at timestamptz
);

create index sessions_by_user on sessions (user_id);

-- The table stores only the SHA-256 of a refresh token: a copy of the table does not let anyone sign in.
create table refresh_tokens (
  token_hash bytea constraint refresh_tokens_are_unique primary key,
  session_id uuid not null constraint refresh_tokens_belong_to_a_session references sessions on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  rotated_at timestamptz
);

create index refresh_tokens_by_session on refresh_tokens (session_id);
create index refresh_tokens_by_expiry on refresh_tokens (expires_at);

-- A one-time code for an address. A request inserts the row even if no user has the address, so that both cases take
-- the same time. The job that sends the code fills in the user and the hash. A new code for the same purpose and
-- address reuses the row, which voids the previous code.
create table codes (
  id uuid constraint codes_id_is_unique primary key,
  purpose text not null
    constraint codes_purpose_is_known check (purpose in ('verify_email', 'change_email', 'reset_password')),
  email text not null,
  user_id uuid constraint codes_belong_to_a_user references users on delete cascade,
  -- An HMAC. Its key is not in the database, so a copy of the table does not reveal the code.
  code_hash bytea,
  attempts smallint not null default 0 constraint codes_have_at_most_5_attempts check (attempts between 0 and 5),
  requested_at timestamptz not null default now(),
  issued_at timestamptz,
  expires_at timestamptz,
  used_at timestamptz,
  constraint codes_are_unique_by_purpose_and_email unique (purpose, email),
  constraint codes_are_complete_or_only_requested check (num_nulls(user_id, code_hash, issued_at, expires_at) in (0, 4))
);

create index codes_by_email on codes (email);
create index codes_by_user on codes (user_id);

-- A user's account at another identity provider. A row is inserted only with the provider's proof.
create table identities (
  id uuid constraint identities_id_is_unique primary key,
  user_id uuid not null constraint identities_belong_to_a_user references users on delete cascade,
  provider text not null constraint identities_provider_is_known check (provider in ('telegram')),
  provider_id text not null,
  username text,
  created_at timestamptz not null default now(),
  constraint identities_are_unique unique (provider, provider_id)
);

create index identities_by_user on identities (user_id, id desc);
create index identities_by_username on identities (lower(username));

-- Down Migration

drop table identities;
drop table codes;
drop table refresh_tokens;
drop table sessions;
drop table users;
