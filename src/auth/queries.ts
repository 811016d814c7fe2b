import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Role } from "../users/queries.ts";
import type { Session } from "./schemas.ts";

export interface NewSession {
  id: string;
  user_id: string;
  /** As it was when the user was judged; a reset in between changed it, and there is no session then. */
  password_hash: string | null;
  user_agent: string | null;
  token_hash: Buffer;
  days: number;
}

/** Opens a session with its first refresh token, of which only the hash is given. Gives whether it is open. */
export async function insertSession(sql: Db, session: NewSession): Promise<boolean> {
  const { count } = await sql`
    with unchanged as (
      select id from users
      where id = ${session.user_id} and deleted_at is null
        and password_hash is not distinct from ${session.password_hash}
      -- A reset or a deletion under way comes first; one that comes after ends this session too.
      for share
    ),
    session as (
      insert into sessions (id, user_id, user_agent)
      select ${session.id}, id, ${session.user_agent} from unchanged
      returning id
    )
    insert into refresh_tokens (token_hash, session_id, expires_at)
    select ${session.token_hash}, id, now() + ${session.days} * interval '1 day' from session`;
  return count > 0;
}

/** Tabs that share a token ask at about the same time, each with the token it knows: so long the old one is good. */
const graceSeconds = 20;

export interface LockedToken {
  session_id: string;
  user_id: string;
  role: Role;
  /** Rotated so long ago that nobody who is honest still has it. */
  reused: boolean;
  expired: boolean;
}

/** A refresh token of a session that goes on. Takes it and its session until the transaction ends. */
export async function lockRefreshToken(tx: Db, tokenHash: Buffer): Promise<LockedToken | undefined> {
  const [token] = await tx<LockedToken[]>`
    select
      t.session_id, s.user_id, u.role,
      coalesce(t.rotated_at < now() - ${graceSeconds} * interval '1 second', false) as reused,
      t.expires_at <= now() as expired
    from refresh_tokens t
    join sessions s on s.id = t.session_id
    join users u on u.id = s.user_id
    where t.token_hash = ${tokenHash} and s.ended_at is null and u.deleted_at is null
    for update of s, t`;
  return token;
}

/** Puts a new refresh token beside the one that was shown. */
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

/** Ends a user's session, with all its refresh tokens. Gives whether it went on until now. */
export async function endSession(sql: Db, userId: string, id: string): Promise<boolean> {
  const { count } = await sql`
    update sessions set ended_at = now() where id = ${id} and user_id = ${userId} and ended_at is null`;
  return count > 0;
}

/** Ends the session of a refresh token, also by one that was rotated; an unknown one ends nothing. */
export async function endSessionOfToken(sql: Db, tokenHash: Buffer) {
  await sql`
    update sessions s set ended_at = now()
    from refresh_tokens t
    where t.token_hash = ${tokenHash} and s.id = t.session_id and s.ended_at is null`;
}

/** Signs a user out everywhere. */
export async function endAllSessions(tx: Db, userId: string) {
  await tx`update sessions set ended_at = now() where user_id = ${userId} and ended_at is null`;
}

/** Those that can still be refreshed; one row more than the page holds, newest first. */
export const listSessions = (sql: Db, userId: string, page: PageRequest) => sql<Session[]>`
  select s.id, s.user_agent, s.created_at, s.last_used_at
  from sessions s
  where s.user_id = ${userId} and s.ended_at is null
    and exists (select from refresh_tokens t where t.session_id = s.id and t.expires_at > now())
    ${page.after ? sql`and s.id < ${page.after}` : sql``}
  order by s.id desc
  limit ${page.limit + 1}`;

/** Expired ones; a rotated one stays until then, so that its reuse is noticed. */
export const deleteExpiredTokens = (sql: Db) => sql`delete from refresh_tokens where expires_at < now()`;

/** Those that have ended, and those without a token that could refresh them. */
export const deleteExpiredSessions = (sql: Db) => sql`
  delete from sessions s
  where s.ended_at is not null
    or not exists (select from refresh_tokens t where t.session_id = s.id and t.expires_at > now())`;

/** Returns the users who signed in or refreshed within the last hour; more than once for several sessions. */
export const listActiveUserIds = (sql: Db) => sql<{ user_id: string }[]>`
  select user_id from sessions where last_used_at > now() - interval '1 hour'`;
