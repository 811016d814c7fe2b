import type { Fragment } from "postgres";
import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Role, User, UserPatch } from "./schemas.ts";

export interface Account {
  id: string;
  role: Role;
  password_hash: string | null;
  verified: boolean;
}

/** The columns of a `User`. The table is `users u`. */
const userColumns = (sql: Db) => sql`
  u.id, u.email, u.pending_email, u.role, u.first_name, u.last_name, u.phone_number,
  u.verified_at is not null as verified, u.created_at, u.updated_at`;

/** Returns the account of `email`, which must be lower-case and trimmed. */
export async function findAccountByEmail(sql: Db, email: string): Promise<Account | undefined> {
  const [account] = await sql<Account[]>`
    select id, role, password_hash, verified_at is not null as verified
    from users
    where email = ${email} and deleted_at is null`;
  return account;
}

export async function findUserIdByPendingEmail(sql: Db, email: string): Promise<string | undefined> {
  const [user] = await sql<{ id: string }[]>`select id from users where pending_email = ${email}`;
  return user?.id;
}

export async function findRole(sql: Db, userId: string): Promise<Role | undefined> {
  const [user] = await sql<{ role: Role }[]>`
    select role from users where id = ${userId} and deleted_at is null`;
  return user?.role;
}

export async function findUser(sql: Db, id: string): Promise<User | undefined> {
  const [user] = await sql<User[]>`
    select ${userColumns(sql)} from users u where u.id = ${id} and u.deleted_at is null`;
  return user;
}

export interface UserFilter {
  email?: string | undefined;
  role?: Role | undefined;
  provider?: string | undefined;
  provider_id?: string | undefined;
  username?: string | undefined;
}

export const listUsers = (sql: Db, filter: UserFilter, page: PageRequest) => sql<User[]>`
  select ${userColumns(sql)}
  from users u
  where u.deleted_at is null
    ${filter.email ? sql`and u.email = ${filter.email}` : sql``}
    ${filter.role ? sql`and u.role = ${filter.role}` : sql``}
    ${
      filter.provider || filter.provider_id || filter.username
        ? sql`and exists (
            select from identities i
            where i.user_id = u.id
              ${filter.provider ? sql`and i.provider = ${filter.provider}` : sql``}
              ${filter.provider_id ? sql`and i.provider_id = ${filter.provider_id}` : sql``}
              ${filter.username ? sql`and lower(i.username) = lower(${filter.username})` : sql``}
          )`
        : sql``
    }
    ${page.after ? sql`and u.id < ${page.after}` : sql``}
  order by u.id desc
  limit ${page.limit + 1}`;

export interface NewUser {
  email: string | null;
  password_hash: string | null;
  first_name: string | null;
  last_name: string | null;
  phone_number: string | null;
  verified: boolean;
}

/** Inserts a customer. Violates `users_email_is_unique` or `users_phone_number_is_unique`. */
export async function insertUser(sql: Db, user: NewUser): Promise<User> {
  const [row] = await sql<User[]>`
    insert into users as u (id, email, password_hash, first_name, last_name, phone_number, verified_at)
    values (
      ${newId()}, ${user.email}, ${user.password_hash}, ${user.first_name}, ${user.last_name}, ${user.phone_number},
      ${user.verified ? sql`now()` : null}
    )
    returning ${userColumns(sql)}`;
  return row!;
}

/** Drops the password of an unverified account, since a stranger may have set it. */
export async function upsertManager(tx: Db, email: string) {
  const id = newId();
  const [user] = await tx<{ id: string; created: boolean; newly_verified: boolean }[]>`
    insert into users as u (id, email, role, verified_at) values (${id}, ${email}, 'manager', now())
    on conflict (email) do update set
      role = 'manager', verified_at = coalesce(u.verified_at, now()), updated_at = now(),
      password_hash = case when u.verified_at is not null then u.password_hash end
    returning id, id = ${id} as created, verified_at = now() as newly_verified`;
  return user!;
}

export interface LockedUser {
  id: string;
  email: string | null;
  pending_email: string | null;
  role: Role;
  deleted: boolean;
}

/** Locks these rows, those of deleted users included. Locks them in one order, so that no two requests deadlock. */
export const lockUsers = (tx: Db, ids: string[]) => tx<LockedUser[]>`
  select id, email, pending_email, role, deleted_at is not null as deleted
  from users
  where id = any(${ids}::uuid[])
  order by id
  for update`;

/** Locks an account against changes. Returns false if it was deleted or its password changed since it was read. */
export async function lockUnchangedAccount(tx: Db, { id, password_hash }: Account): Promise<boolean> {
  const { count } = await tx`
    select from users
    where id = ${id} and deleted_at is null and password_hash is not distinct from ${password_hash}
    for share`;
  return count > 0;
}

/** Updates the given fields. Violates `users_phone_number_is_unique`. */
export async function updateUser(
  tx: Db,
  id: string,
  { first_name, last_name, phone_number, role }: Omit<UserPatch, "email">,
): Promise<User | undefined> {
  const [user] = await tx<User[]>`
    update users u set
      updated_at = now()
      ${first_name === undefined ? tx`` : tx`, first_name = ${first_name}`}
      ${last_name === undefined ? tx`` : tx`, last_name = ${last_name}`}
      ${phone_number === undefined ? tx`` : tx`, phone_number = ${phone_number}`}
      ${role === undefined ? tx`` : tx`, role = ${role}`}
    where u.id = ${id} and u.deleted_at is null
    returning ${userColumns(tx)}`;
  return user;
}

/** Stores the pending address, or clears it if it is the current one. Violates `users_pending_email_is_unique`. */
export async function setPendingEmail(tx: Db, id: string, email: string) {
  await tx`
    update users set
      pending_email = nullif(${email}, email), pending_email_since = now()
    where id = ${id}`;
}

/** Returns undefined if the address is no longer this user's. Verifying the current address keeps the pending one. */
export async function verifyEmail(tx: Db, id: string, email: string): Promise<User | undefined> {
  const [user] = await tx<User[]>`
    update users u set
      email = ${email}, pending_email = nullif(pending_email, ${email}),
      verified_at = coalesce(verified_at, now()), updated_at = now()
    where u.id = ${id} and u.deleted_at is null and ${email} in (u.email, u.pending_email)
    returning ${userColumns(tx)}`;
  return user;
}

/** Drops a pending address, since a thief may have set it. Returns undefined if `email` is no longer this user's. */
export async function resetPassword(
  tx: Db,
  id: string,
  { email, password_hash }: { email: string; password_hash: string },
): Promise<{ id: string; role: Role; newly_verified: boolean } | undefined> {
  const [user] = await tx<{ id: string; role: Role; newly_verified: boolean }[]>`
    update users u set
      password_hash = ${password_hash}, pending_email = null,
      verified_at = coalesce(u.verified_at, now()), updated_at = now()
    where u.id = ${id} and u.deleted_at is null and u.email = ${email}
    returning u.id, u.role, u.verified_at = now() as newly_verified`;
  return user;
}

/** Erases the personal data and the identities. The row stays, since orders and payments refer to it. */
export async function eraseUser(tx: Db, id: string) {
  await tx`
    with erased as (
      update users set
        email = null, pending_email = null, password_hash = null, first_name = null, last_name = null,
        phone_number = null, updated_at = now(), deleted_at = now()
      where id = ${id}
    )
    delete from identities where user_id = ${id}`;
}

/** A query for the rows of another table that refer to a user. The outer query's table is `users u`. */
export type SelectReferences = (sql: Db) => Fragment;

/** Keeps users with references, since one of them would fail the whole statement. */
export const deleteUnverifiedUsers = (sql: Db, references: SelectReferences[]) => sql`
  delete from users u
  where verified_at is null and deleted_at is null and created_at < now() - interval '2 days'
    ${references.map((select) => sql`and not exists (${select(sql)})`)}`;

export const expirePendingEmails = (sql: Db) => sql`
  update users set pending_email = null
  where pending_email is not null and pending_email_since < now() - interval '2 days'`;
