import { pino } from "pino";
import { v7 as uuidv7 } from "uuid";
import { expect, test } from "vitest";
import { type Sink, startDelivery } from "../src/events/delivery.ts";
import { insertEvents } from "../src/events/queries.ts";
import { eventually, testShop } from "./harness.ts";

const shop = testShop();

test("a sink that was closed while its events were still being read is sent nothing, and they wait", async () => {
  const calls: string[] = [];
  const sink: Sink = {
    name: "slow",
    publish: async (events) => {
      calls.push(`publish ${events.length}`);
      return { mark: null };
    },
    close: async () => void calls.push("close"),
  };
  await insertEvents(shop.sql, [{ type: "menu.changed", subject_id: uuidv7(), data: {} }]);
  await shop.sql`update events set seq = 1`;
  const { stopped } = await shop.sql.begin(async (tx) => {
    await tx`lock table events in access exclusive mode`;
    const delivery = startDelivery(shop.sql, sink, () => true, pino({ level: "silent" }));
    await eventually(async () => {
      const [row] = await shop.sql<{ waiting: number }[]>`
        select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return row!.waiting === 1;
    });
    const stopped = delivery.stop();
    await eventually(() => calls.includes("close"));
    return { stopped };
  });
  await stopped;
  expect(calls).toEqual(["close"]);
  expect(await shop.sql`select position::int as position from event_sinks`).toEqual([{ position: 0 }]);
});
