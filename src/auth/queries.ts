import type { Db } from "../db.ts";

/** Opens a session with its first refresh token, of which only the hash is given. */
export async function insertSession(
  sql: Db,
  session: { id: string; user_id: string; user_agent: string | null; token_hash: Buffer; days: number },
) {
  await sql`
    with session as (
      insert into sessions (id, user_id, user_agent)
      values (${session.id}, ${session.user_id}, ${session.user_agent})
      returning id
    )
    insert into refresh_tokens (token_hash, session_id, expires_at)
    select ${session.token_hash}, id, now() + ${session.days} * interval '1 day' from session`;
}
