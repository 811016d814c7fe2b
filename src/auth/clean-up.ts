import type { Db } from "../db/pool.ts";
import { deleteUnverifiedUsers, expirePendingEmails } from "../users/queries.ts";
import { deleteExpiredCodes } from "./code-queries.ts";
import { deleteExpiredSessions, deleteExpiredTokens } from "./queries.ts";

/**
 * Removes what nobody can use any more. Each is one statement that looks again at a row which someone else had locked:
 * two workers may run it at once, and who verifies in that very moment stays.
 */
export async function cleanUp(sql: Db) {
  await deleteUnverifiedUsers(sql);
  await expirePendingEmails(sql);
  await deleteExpiredCodes(sql);
  await deleteExpiredTokens(sql);
  await deleteExpiredSessions(sql);
}
