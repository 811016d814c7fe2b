import type { Db } from "../db/pool.ts";
import { deleteUnverifiedUsers, expirePendingEmails, type SelectReferences } from "../users/queries.ts";
import { deleteExpiredCodes } from "./code-queries.ts";
import { deleteExpiredSessions, deleteExpiredTokens } from "./queries.ts";

/** Deletes expired rows. Two workers may run it: each statement rechecks a row after its lock is released. */
export async function cleanUp(sql: Db, references: SelectReferences[]) {
  await deleteUnverifiedUsers(sql, references);
  await expirePendingEmails(sql);
  await deleteExpiredCodes(sql);
  await deleteExpiredTokens(sql);
  await deleteExpiredSessions(sql);
}
