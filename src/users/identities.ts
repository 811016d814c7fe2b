import { type Pool, violatedConstraint } from "../db/pool.ts";
import { insertUserEvent } from "./events.ts";
import { findAccountByIdentity, insertIdentity, type VerifiedIdentity } from "./identity-queries.ts";
import { type Account, insertUser } from "./queries.ts";

/** Inserts a user without email and password. Of two concurrent first sign-ins, the second returns the first's account. */
export async function signUpByIdentity(
  sql: Pool,
  identity: VerifiedIdentity,
  name: { first_name: string | null; last_name: string | null },
): Promise<Account> {
  try {
    return await sql.begin(async (tx) => {
      const account = { email: null, password_hash: null, phone_number: null, verified: true };
      const user = await insertUser(tx, { ...account, ...name });
      await insertIdentity(tx, user.id, identity);
      await insertUserEvent(tx, "user.created", user);
      await insertUserEvent(tx, "user.verified", user);
      return { id: user.id, role: user.role, password_hash: null, verified: true };
    });
  } catch (error) {
    const taken = violatedConstraint(error) === "identities_are_unique";
    const first = taken && (await findAccountByIdentity(sql, identity));
    if (first) return first;
    throw error;
  }
}
