// The payment provider takes 200 ms and 200 customers order at once: how near placing comes to its places' limit, and
// whether the board and an order, read from the database meanwhile, notice.
import { setTimeout as sleep } from "node:timers/promises";
import { v7 as uuidv7 } from "uuid";
import { doubleShot, espresso, startRig } from "./bench-environment.ts";
import { Connection, loadSteadily, percentile, write } from "./load.ts";
import { compare, keep } from "./paired-runs.ts";

const providerMs = 200;
const places = 20;
const customerCount = 200;
const roundMs = 5_000;
const readsPerSecond = 100;

const rig = await startRig({ CHECKOUT_CONCURRENCY: `${places}` }, [`${providerMs}`]);
const customers = await rig.customers(customerCount);
const order = (nth: number) =>
  write("POST", "/api/v1/orders", {
    token: customers[nth % customerCount]!.token,
    headers: { "idempotency-key": uuidv7() },
    body: { items: [{ product_id: espresso, variation_id: doubleShot, quantity: 1 }] },
  });

/** 200 customers, each of whom comes again a second after he was told that it is busy; gives the orders a second. */
async function rush(ms: number): Promise<number> {
  // The first second, in which the places fill, doesn't count.
  const from = performance.now() + 1_000;
  const to = from + ms;
  let placed = 0;
  await Promise.all(
    customers.map(async (_customer, nth) => {
      const connection = new Connection(rig.port);
      while (performance.now() < to) {
        const { status, body } = await connection.send(order(nth));
        const now = performance.now();
        if (status === 201 && from < now && now < to) placed++;
        // About a second later, as people do, and not all at once.
        else if (status === 503) await sleep(500 + Math.random() * 1_000);
        else if (status !== 201) throw new Error(`${status}: ${body()}`);
      }
      connection.close();
    }),
  );
  return placed / (ms / 1_000);
}

const first = new Connection(rig.port);
const { id } = JSON.parse((await first.send(order(0))).body());
first.close();
const reads = [
  write("GET", "/api/v1/admin/orders?limit=20", { token: rig.token("barista") }),
  write("GET", `/api/v1/orders/${id}`, { token: customers[0]!.token }),
];
const read = () =>
  loadSteadily(
    rig.port,
    { perSecond: readsPerSecond, ms: roundMs, expected: 200 },
    (nth) => reads[nth % reads.length]!,
  ).then(({ latencies }) => ({ p99: percentile(latencies, 0.99), p50: percentile(latencies, 0.5) }));

// The limit is a figure, not a load: every place taken by a provider's answer, one after the other.
const limit = places / (providerMs / 1_000);
const placing = await compare(
  `POST /orders, provider at ${providerMs} ms, ${customerCount} customers`,
  { unit: "orders/s", yardstick: `${places} places / ${providerMs} ms` },
  async () => ({ throughput: await rush(roundMs) }),
  async () => ({ throughput: limit }),
);
const reading = await compare(
  "the board and an order meanwhile",
  { unit: "ms", yardstick: "without that load" },
  async () => {
    const rushing = rush(roundMs);
    await sleep(1_000);
    const figures = await read();
    await rushing;
    return figures;
  },
  read,
);
await keep("slow-provider", [...placing, ...reading]);
await rig.close();
