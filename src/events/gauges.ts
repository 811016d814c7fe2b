import { Gauge } from "prom-client";
import type { Pool } from "../db/pool.ts";
import { countUnsequenced, listSinkLags } from "./queries.ts";

const unpublished = new Gauge({ name: "events_unpublished", help: "Events without a seq" });
const sinkLag = new Gauge({
  name: "event_sink_lag",
  help: "Events that a sink does not have yet",
  labelNames: ["sink"],
});

export async function collectEventGauges(sql: Pool) {
  const [count, lags] = await Promise.all([countUnsequenced(sql), listSinkLags(sql)]);
  unpublished.set(count);
  for (const { sink, lag } of lags) sinkLag.set({ sink }, lag);
}
