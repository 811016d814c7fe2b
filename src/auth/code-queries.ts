import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";

export type Purpose = "verify_email" | "change_email" | "reset_password";

/** With the queue's backoff, the last attempt to send is made after about half an hour. */
const maxAttempts = 8;

/** Inserts a request and its job, even for an address without an account. A repeated request keeps the waiting job. */
export async function requestCode(sql: Db, purpose: Purpose, email: string) {
  await sql`
    with request as (
      insert into codes (id, purpose, email) values (${newId()}, ${purpose}, ${email})
      on conflict (purpose, email) do update set requested_at = now()
      returning id
    )
    select graphile_worker.add_job(
      'send_code', json_build_object('code_id', id), job_key => 'code ' || id, max_attempts => ${maxAttempts})
    from request`;
}

export interface CodeRequest {
  id: string;
  purpose: Purpose;
  email: string;
}

/** Returns undefined if a code was sent for the request less than a minute ago. */
export async function findCodeRequest(sql: Db, id: string): Promise<CodeRequest | undefined> {
  const [request] = await sql<CodeRequest[]>`
    select id, purpose, email from codes
    where id = ${id} and (issued_at is null or issued_at <= now() - interval '1 minute')`;
  return request;
}

/** Voids the code before. Returns false if another worker issued one less than a minute ago. */
export async function issueCode(
  sql: Db,
  { id, user_id, hash }: { id: string; user_id: string; hash: Buffer },
): Promise<boolean> {
  const { count } = await sql`
    update codes set
      user_id = ${user_id}, code_hash = ${hash}, issued_at = now(), expires_at = now() + interval '15 minutes',
      attempts = 0, used_at = null
    where id = ${id} and (issued_at is null or issued_at <= now() - interval '1 minute')`;
  return count > 0;
}

/** Voids a code that could not be sent, so that the next attempt may issue another. */
export async function revokeCode(sql: Db, id: string, hash: Buffer) {
  await sql`
    update codes set user_id = null, code_hash = null, issued_at = null, expires_at = null
    where id = ${id} and code_hash = ${hash}`;
}

/** Inserts a code to reset the password that an operator passes on, without an email. */
export async function insertResetCode(
  tx: Db,
  code: { id: string; email: string; user_id: string; hash: Buffer },
) {
  await tx`
    insert into codes (id, purpose, email, user_id, code_hash, issued_at, expires_at)
    values (${code.id}, 'reset_password', ${code.email}, ${code.user_id}, ${code.hash}, now(), now() + interval '15 minutes')`;
}

export async function deleteCode(tx: Db, purpose: Purpose, email: string) {
  await tx`delete from codes where purpose = ${purpose} and email = ${email}`;
}

export async function deleteCodesOf(
  tx: Db,
  user: { id: string; email: string | null; pending_email: string | null },
) {
  await tx`
    delete from codes where user_id = ${user.id} or email in (${user.email}, ${user.pending_email})`;
}

export interface LiveCode {
  id: string;
  user_id: string;
  code_hash: Buffer;
}

/** Counts an attempt at each live code of this address. Concurrent attempts are all counted before any is compared. */
export const consumeAttempt = (sql: Db, purposes: Purpose[], email: string) => sql<LiveCode[]>`
  update codes set attempts = attempts + 1
  where email = ${email} and purpose in ${sql(purposes)}
    and code_hash is not null and used_at is null and expires_at > now() and attempts < 5
  returning id, user_id, code_hash`;

export async function markCodeUsed(tx: Db, { id, code_hash }: LiveCode): Promise<boolean> {
  const { count } = await tx`
    update codes set used_at = now()
    where id = ${id} and code_hash = ${code_hash} and used_at is null`;
  return count > 0;
}

/** A used code stays for its minute, during which no other is sent. */
export const deleteExpiredCodes = (sql: Db) => sql`
  delete from codes
  where expires_at < now()
    or (used_at is not null and issued_at < now() - interval '1 minute')
    or (issued_at is null and requested_at < now() - interval '1 hour')`;
