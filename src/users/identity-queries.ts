import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Account } from "./queries.ts";
import type { Identity, Provider } from "./schemas.ts";

export interface VerifiedIdentity {
  provider: Provider;
  provider_id: string;
  username: string | null;
}

/** Returns the account of an identity. Updates the user name, which may have changed at the provider. */
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

/** Inserts an identity. Violates `identities_are_unique` if it is linked already. */
export async function insertIdentity(sql: Db, userId: string, identity: VerifiedIdentity): Promise<Identity> {
  const [row] = await sql<Identity[]>`
    insert into identities (id, user_id, provider, provider_id, username)
    values (${newId()}, ${userId}, ${identity.provider}, ${identity.provider_id}, ${identity.username})
    returning id, user_id, provider, provider_id, username, created_at`;
  return row!;
}

export const listIdentities = (sql: Db, userId: string, page: PageRequest) => sql<Identity[]>`
  select id, user_id, provider, provider_id, username, created_at
  from identities
  where user_id = ${userId} ${page.after ? sql`and id < ${page.after}` : sql``}
  order by id desc
  limit ${page.limit + 1}`;

/** Returns the newest match, since a user name may pass to another person. */
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

export async function deleteIdentity(tx: Db, userId: string, id: string): Promise<boolean> {
  const { count } = await tx`delete from identities where id = ${id} and user_id = ${userId}`;
  return count > 0;
}

export async function canSignIn(tx: Db, userId: string): Promise<boolean> {
  const [row] = await tx<{ can: boolean }[]>`
    select exists (select from users where id = ${userId} and email is not null)
      or exists (select from identities where user_id = ${userId}) as can`;
  return row!.can;
}
