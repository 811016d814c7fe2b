import type { Db } from "../db/pool.ts";
import { deleteUnverifiedUsers, dropUnprovedEmails } from "../users/queries.ts";
import { deleteDeadCodes } from "./code-queries.ts";
import { deleteDeadSessions, deleteDeadTokens } from "./queries.ts";

/**
 * Removes what nobody can use any more. Each is one statement that looks again at a row which someone else had locked:
 * two workers may run it at once, and who verifies in that very moment stays.
 */
export async function cleanUp(sql: Db) {
  await deleteUnverifiedUsers(sql);
  await dropUnprovedEmails(sql);
  await deleteDeadCodes(sql);
  await deleteDeadTokens(sql);
  await deleteDeadSessions(sql);
}
