import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Session } from "./schemas.ts";

export interface NewSession {
  id: string;
  user_id: string;
  user_agent: string | null;
  token_hash: Buffer;
  days: number;
}

export async function insertSession(tx: Db, session: NewSession) {
  await tx`
    with session as (
      insert into sessions (id, user_id, user_agent)
      values (${session.id}, ${session.user_id}, ${session.user_agent})
    )
    insert into refresh_tokens (token_hash, session_id, expires_at)
    values (${session.token_hash}, ${session.id}, now() + ${session.days} * interval '1 day')`;
}

/** Tabs that share a token refresh at about the same time. A rotated token stays valid for this long. */
const graceSeconds = 20;

export interface LockedToken {
  session_id: string;
  user_id: string;
  /** Shown again after the grace period: the token was probably stolen. */
  reused: boolean;
  expired: boolean;
}

/** Locks a refresh token and its session until the transaction ends. Undefined for a session that has ended. */
export async function lockRefreshToken(tx: Db, tokenHash: Buffer): Promise<LockedToken | undefined> {
  const [token] = await tx<LockedToken[]>`
    select
      t.session_id, s.user_id,
      coalesce(t.rotated_at < now() - ${graceSeconds} * interval '1 second', false) as reused,
      t.expires_at <= now() as expired
    from refresh_tokens t
    join sessions s on s.id = t.session_id
    where t.token_hash = ${tokenHash} and s.ended_at is null
    for update of s, t`;
  return token;
}

export async function rotateRefreshToken(
  tx: Db,
  rotation: { session_id: string; old_hash: Buffer; new_hash: Buffer; days: number },
) {
  await tx`
    with rotated as (
      update refresh_tokens set rotated_at = now() where token_hash = ${rotation.old_hash} and rotated_at is null
    ),
    used as (update sessions set last_used_at = now() where id = ${rotation.session_id})
    insert into refresh_tokens (token_hash, session_id, expires_at)
    values (${rotation.new_hash}, ${rotation.session_id}, now() + ${rotation.days} * interval '1 day')`;
}

export async function endSession(sql: Db, userId: string, id: string): Promise<boolean> {
  const { count } = await sql`
    update sessions set ended_at = now() where id = ${id} and user_id = ${userId} and ended_at is null`;
  return count > 0;
}

export async function endSessionOfToken(sql: Db, tokenHash: Buffer) {
  await sql`
    update sessions s set ended_at = now()
    from refresh_tokens t
    where t.token_hash = ${tokenHash} and s.id = t.session_id and s.ended_at is null`;
}

export async function endAllSessions(tx: Db, userId: string) {
  await tx`update sessions set ended_at = now() where user_id = ${userId} and ended_at is null`;
}

export async function deleteSessions(tx: Db, userId: string) {
  await tx`delete from sessions where user_id = ${userId}`;
}

export const listSessions = (sql: Db, userId: string, page: PageRequest) => sql<Session[]>`
  select s.id, s.user_agent, s.created_at, s.last_used_at
  from sessions s
  where s.user_id = ${userId} and s.ended_at is null
    and exists (select from refresh_tokens t where t.session_id = s.id and t.expires_at > now())
    ${page.after ? sql`and s.id < ${page.after}` : sql``}
  order by s.id desc
  limit ${page.limit + 1}`;

/** Deletes expired refresh tokens. Rotated tokens stay until they expire, so that reuse is detected. */
export const deleteExpiredTokens = (sql: Db) => sql`delete from refresh_tokens where expires_at < now()`;

export const deleteExpiredSessions = (sql: Db) => sql`
  delete from sessions s
  where s.ended_at is not null
    or not exists (select from refresh_tokens t where t.session_id = s.id and t.expires_at > now())`;

/** Returns the users who signed in or refreshed within the last hour; more than once for several sessions. */
export const listActiveUserIds = (sql: Db) => sql<{ user_id: string }[]>`
  select user_id from sessions where last_used_at > now() - interval '1 hour'`;
