import type { Db } from "../db/pool.ts";
import { deleteUnverifiedUsers, expirePendingEmails, type SelectReferences } from "../users/queries.ts";
import { deleteExpiredCodes } from "./code-queries.ts";
import { deleteExpiredSessions, deleteExpiredTokens } from "./queries.ts";

/**
 * Deletes expired accounts, codes and sessions. Keeps unverified users to whom `references` find rows. Two workers may
 * run it at once: each statement checks a row again after another transaction has released it.
 */
export async function cleanUp(sql: Db, references: SelectReferences[]) {
  await deleteUnverifiedUsers(sql, references);
  await expirePendingEmails(sql);
  await deleteExpiredCodes(sql);
  await deleteExpiredTokens(sql);
  await deleteExpiredSessions(sql);
}
