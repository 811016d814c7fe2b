import type { Settings } from "../config.ts";
import { newId } from "../db/ids.ts";
import type { Pool } from "../db/pool.ts";
import { insertUserEvent } from "../users/events.ts";
import { upsertManager } from "../users/queries.ts";
import { deleteCode, insertResetCode } from "./code-queries.ts";
import { hashCode, randomCode } from "./codes.ts";

export async function createManager(sql: Pool, settings: Settings, email: string) {
  const code = randomCode();
  const id = newId();
  await sql.begin(async (tx) => {
    const user = await upsertManager(tx, email);
    if (user.created) await insertUserEvent(tx, "user.created", { id: user.id, role: "manager" });
    if (user.newly_verified) await insertUserEvent(tx, "user.verified", { id: user.id, role: "manager" });
    await deleteCode(tx, "reset_password", email);
    const hash = hashCode(settings.jwtSecrets[0], id, code);
    await insertResetCode(tx, { id, email, user_id: user.id, hash });
  });
  return { email, code };
}
