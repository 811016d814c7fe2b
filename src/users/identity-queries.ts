import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Account } from "./queries.ts";
import type { Identity, Provider } from "./schemas.ts";

/** What a provider has proved. */
export interface VerifiedIdentity {
  provider: Provider;
  provider_id: string;
  username: string | null;
}

/** The account of an identity that was proved just now; its name there may be a new one. */
export async function findAccountByIdentity(
  sql: Db,
  { provider, provider_id, username }: VerifiedIdentity,
): Promise<Account | undefined> {
  const [account] = await sql<Account[]>`
    update identities i set username = ${username}
    from users u
    where i.provider = ${provider} and i.provider_id = ${provider_id} and u.id = i.user_id
    returning u.id, u.role, u.password_hash, u.verified_at is not null as verified`;
  return account;
}

/** Links an identity; breaks `identities_are_unique` if anybody has it. */
export async function insertIdentity(sql: Db, userId: string, proved: VerifiedIdentity): Promise<Identity> {
  const [identity] = await sql<Identity[]>`
    insert into identities (id, user_id, provider, provider_id, username)
    values (${newId()}, ${userId}, ${proved.provider}, ${proved.provider_id}, ${proved.username})
    returning id, user_id, provider, provider_id, username, created_at`;
  return identity!;
}

/** One row more than the page holds, newest first. */
export const listIdentities = (sql: Db, userId: string, page: PageRequest) => sql<Identity[]>`
  select id, user_id, provider, provider_id, username, created_at
  from identities
  where user_id = ${userId} ${page.after ? sql`and id < ${page.after}` : sql``}
  order by id desc
  limit ${page.limit + 1}`;

/** The newest one, for a name there may pass from one to another. */
export async function findIdentity(
  sql: Db,
  filter: { provider?: string | undefined; provider_id?: string | undefined; username?: string | undefined },
): Promise<Identity | undefined> {
  const [identity] = await sql<Identity[]>`
    select id, user_id, provider, provider_id, username, created_at
    from identities
    where true
      ${filter.provider ? sql`and provider = ${filter.provider}` : sql``}
      ${filter.provider_id ? sql`and provider_id = ${filter.provider_id}` : sql``}
      ${filter.username ? sql`and lower(username) = lower(${filter.username})` : sql``}
    order by id desc
    limit 1`;
  return identity;
}

/** Whether there was one. */
export async function deleteIdentity(tx: Db, userId: string, id: string): Promise<boolean> {
  const { count } = await tx`delete from identities where id = ${id} and user_id = ${userId}`;
  return count > 0;
}

/** Whether a user can sign in at all: with a password, or through someone who vouches for him. */
export async function canSignIn(tx: Db, userId: string): Promise<boolean> {
  const [row] = await tx<{ can: boolean }[]>`
    select exists (select from users where id = ${userId} and email is not null)
      or exists (select from identities where user_id = ${userId}) as can`;
  return row!.can;
}
