import type { Db } from "../db/pool.ts";
import { insertEvent } from "../events/queries.ts";
import type { Role } from "./schemas.ts";

/** Inserts an event without personal data, since events outlive a user's erasure. */
export const insertUserEvent = (
  tx: Db,
  type: "user.created" | "user.verified",
  { id, role }: { id: string; role: Role },
) => insertEvent(tx, { type, subject_id: id, data: { id, role } });
