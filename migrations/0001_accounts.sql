-- Up Migration

-- Who may sign in. A row is never deleted: orders and money refer to it. Leaving erases the person from it and sets
-- deleted_at. Someone who signs in through another provider alone has neither email nor password.
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
  deleted_at timestamptz
);

create unique index users_email_is_taken_once on users (email);
create unique index users_phone_number_is_taken_once on users (phone_number);

-- A signed-in device: the family of all refresh tokens that descend from one sign-in.
create table sessions (
  id uuid constraint sessions_id_is_unique primary key,
  user_id uuid not null constraint sessions_belong_to_a_user references users on delete cascade,
  user_agent text,
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  ended_at timestamptz
);

create index sessions_by_user on sessions (user_id);

-- Only the SHA-256 of a refresh token is kept: a copy of this table signs nobody in.
create table refresh_tokens (
  token_hash bytea constraint refresh_tokens_are_unique primary key,
  session_id uuid not null constraint refresh_tokens_belong_to_a_session references sessions on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  rotated_at timestamptz
);

create index refresh_tokens_by_session on refresh_tokens (session_id);

-- Down Migration

drop table refresh_tokens;
drop table sessions;
drop table users;
