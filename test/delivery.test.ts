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
      return { cursor: null };
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
  const [state] = await shop.sql`select position::int as position from event_sinks where name = ${sink.name}`;
  expect(state).toEqual({ position: 0 });
});

test("a sink that is down isn't said to be back by an instance that no longer leads", async () => {
  const sink: Sink = {
    name: "down",
    publish: () => Promise.reject(new Error("nobody there")),
    close: async () => {},
  };
  const lines: string[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  let leading = true;
  let asked = 0;
  const leads = () => {
    if (!leading) asked++;
    return leading;
  };
  const delivery = startDelivery(shop.sql, sink, leads, log);
  await eventually(() => lines.length > 0);
  leading = false;
  await eventually(() => asked > 0);
  await delivery.stop();
  expect(lines).toEqual(["Sink is down; its events wait"]);
});
