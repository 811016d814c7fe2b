import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";

export type Purpose = "verify_email" | "change_email" | "reset_password";

/** Tries to send a code before it is given up: with the queue's growing pauses, about half an hour. */
const maxAttempts = 8;

/**
 * Asks for a code to be made and sent. It does the same whether or not anybody has that address: the job finds out.
 * Asked for again while its job waits, it is still one job.
 */
export async function requestCode(sql: Db, purpose: Purpose, email: string) {
  await sql`
    with asked as (
      insert into codes (id, purpose, email) values (${newId()}, ${purpose}, ${email})
      on conflict (purpose, email) do update set asked_at = now()
      returning id
    )
    select graphile_worker.add_job(
      'send_code', json_build_object('code_id', id), job_key => 'code ' || id, max_attempts => ${maxAttempts})
    from asked`;
}

/**
 * Makes the code that was asked for, of which only the hash is given; the one before is void. Nothing is made when
 * nobody needs it, or when one was sent to this address less than a minute ago.
 */
export async function issueCode(
  sql: Db,
  id: string,
  hash: Buffer,
): Promise<{ purpose: Purpose; email: string } | undefined> {
  const [code] = await sql<{ purpose: Purpose; email: string }[]>`
    update codes c set
      user_id = u.id, code_hash = ${hash}, made_at = now(), expires_at = now() + interval '15 minutes',
      tries = 0, used_at = null
    from users u
    where c.id = ${id}
      and (c.made_at is null or c.made_at <= now() - interval '1 minute')
      and u.id = case c.purpose
        when 'change_email' then (select id from users where pending_email = c.email)
        when 'verify_email' then (select id from users where email = c.email and verified_at is null)
        when 'reset_password' then (select id from users where email = c.email)
      end
    returning c.purpose, c.email`;
  return code;
}

/** Takes back a code that could not be sent, so that the next try makes another. */
export async function revokeCode(sql: Db, id: string, hash: Buffer) {
  await sql`
    update codes set user_id = null, code_hash = null, made_at = null, expires_at = null
    where id = ${id} and code_hash = ${hash}`;
}

/** A code to reset the password, made at once and for a human to pass on. */
export async function insertResetCode(
  tx: Db,
  code: { id: string; email: string; user_id: string; hash: Buffer },
) {
  await tx`
    insert into codes (id, purpose, email, user_id, code_hash, made_at, expires_at)
    values (${code.id}, 'reset_password', ${code.email}, ${code.user_id}, ${code.hash}, now(), now() + interval '15 minutes')`;
}

/** Voids the code of this purpose and address, asked for or sent. */
export async function deleteCode(tx: Db, purpose: Purpose, email: string) {
  await tx`delete from codes where purpose = ${purpose} and email = ${email}`;
}

export interface LiveCode {
  id: string;
  user_id: string;
  code_hash: Buffer;
}

/** Uses up one try of each live code of this address: counted before it is judged, however many try at once. */
export const consumeAttempt = (sql: Db, purposes: Purpose[], email: string) => sql<LiveCode[]>`
  update codes set tries = tries + 1
  where email = ${email} and purpose in ${sql(purposes)}
    and code_hash is not null and used_at is null and expires_at > now() and tries < 5
  returning id, user_id, code_hash`;

/** Whether this was its one use. */
export async function markCodeUsed(tx: Db, { id, code_hash }: LiveCode): Promise<boolean> {
  const { count } = await tx`
    update codes set used_at = now()
    where id = ${id} and code_hash = ${code_hash} and used_at is null`;
  return count > 0;
}

/** Used or expired ones, once they no longer hold back the next, and those that nobody was there for. */
export const deleteExpiredCodes = (sql: Db) => sql`
  delete from codes
  where expires_at < now()
    or (used_at is not null and made_at < now() - interval '1 minute')
    or (made_at is null and asked_at < now() - interval '1 hour')`;
