import { Gauge } from "prom-client";
import { listActiveUserIds } from "../auth/queries.ts";
import type { Pool } from "../db/pool.ts";
import { listRecentCustomerIds } from "./queries.ts";

const activeUsers = new Gauge({
  name: "active_users",
  help: "Users who signed in, refreshed or ordered in the last hour",
});

export async function collectOrderGauges(sql: Pool) {
  const [signedIn, customers] = await Promise.all([listActiveUserIds(sql), listRecentCustomerIds(sql)]);
  activeUsers.set(new Set([...signedIn, ...customers].map(({ user_id }) => user_id)).size);
}
