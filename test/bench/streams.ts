// From the commit of a change to the client that follows the order: with 1,000 streams open and with one, at 50 changes
// a second.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { v7 as uuidv7 } from "uuid";
import { insertEvent } from "../../src/events/queries.ts";
import { startRig } from "./bench-environment.ts";
import { percentile } from "./load.ts";
import { compare, keep } from "./paired-runs.ts";

const changesPerSecond = 50;
const roundMs = 5_000;
const streams = 1_000;

const rig = await startRig();
const [customer] = await rig.customers(1);
const ids = Array.from({ length: streams }, () => uuidv7());
await rig.sql`
  insert into orders (id, customer_id, total_cents, fulfillment)
  select id, ${customer!.id}, 350, '{"type": "pickup"}' from unnest(${ids}::uuid[]) as id`;

/** Follows these orders and changes them in turns; gives how long each change took from its commit, in milliseconds. */
async function follow(followed: string[]) {
  const url = `http://127.0.0.1:${rig.port}/api/v1`;
  const order = JSON.stringify({ url, token: customer!.token, ids: followed });
  const clients = spawn(process.execPath, [`${import.meta.dirname}/stream-clients.ts`, order], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const arrivals = new Map<string, number>();
  const lines = createInterface({ input: clients.stdout });
  await new Promise<void>((resolve) => {
    lines.on("line", (line) => {
      if (line === "open") return resolve();
      const [seq, at] = line.split(" ");
      arrivals.set(seq!, Number(at));
    });
  });
  const committed = new Map<string, number>();
  const data = { status: "preparation", number: 1, items: [{ product_name: "Espresso", quantity: 1 }] };
  const began = performance.now();
  const writing: Promise<void>[] = [];
  while (performance.now() - began < roundMs) {
    const id = followed[writing.length % followed.length]!;
    const change = { type: "order.status_changed", subject_id: id, data: { ...data, id } } as const;
    writing.push(
      (async () => {
        // In the order of the commits, which is the order of seq: one after the other on this connection.
        const [event] = await rig.sql.begin(async (tx) => {
          await insertEvent(tx, change);
          return tx<
            { id: string }[]
          >`select id from events where subject_id = ${id} order by id desc limit 1`;
        });
        committed.set(event!.id, performance.timeOrigin + performance.now());
      })(),
    );
    await sleep(Math.max(0, began + (writing.length / changesPerSecond) * 1_000 - performance.now()));
  }
  await Promise.all(writing);
  while (arrivals.size < committed.size) await sleep(10);
  clients.kill();
  await once(clients, "exit");
  const rows = await rig.sql<{ id: string; seq: string }[]>`
    select id, seq::text from events where id = any(${[...committed.keys()]}::uuid[])`;
  const latencies = rows.map(({ id, seq }) => arrivals.get(seq)! - committed.get(id)!).sort((a, b) => a - b);
  return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

const results = await compare(
  `commit to client, ${streams} streams, ${changesPerSecond} changes a second`,
  { unit: "ms", yardstick: "1 stream" },
  () => follow(ids),
  () => follow(ids.slice(0, 1)),
);
await keep("streams", results);
await rig.close();
