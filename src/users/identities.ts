import { type Pool, violatedConstraint } from "../db/pool.ts";
import { insertUserEvent } from "./events.ts";
import { findAccountByIdentity, insertIdentity, type VerifiedIdentity } from "./identity-queries.ts";
import { type Account, insertUser } from "./queries.ts";

/** A new user who signs in through a provider alone; of two first sign-ins at once, the second finds the first's. */
export async function signUpByIdentity(
  sql: Pool,
  proved: VerifiedIdentity,
  name: { first_name: string | null; last_name: string | null },
): Promise<Account> {
  try {
    return await sql.begin(async (tx) => {
      const nobody = { email: null, password_hash: null, phone_number: null, verified: true };
      const user = await insertUser(tx, { ...nobody, ...name });
      await insertIdentity(tx, user.id, proved);
      await insertUserEvent(tx, "user.created", user);
      await insertUserEvent(tx, "user.verified", user);
      return { id: user.id, role: user.role, password_hash: null, verified: true };
    });
  } catch (error) {
    const taken = violatedConstraint(error) === "identities_are_unique";
    const first = taken && (await findAccountByIdentity(sql, proved));
    if (first) return first;
    throw error;
  }
}
