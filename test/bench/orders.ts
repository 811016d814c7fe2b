// Placing orders with everything on: token, key, ledger row, payment call, event. Against pgbench doing the rows of an
// order without ledger and event in eight round trips and one commit, on the same database.
import { v7 as uuidv7 } from "uuid";
import { doubleShot, espresso, startRig } from "./bench-environment.ts";
import { loadFully, loadSteadily, percentile, write } from "./load.ts";
import { compare, keep } from "./paired-runs.ts";
import { runStatements, yardstick } from "./pgbench.ts";

const customerCount = 16;
const roundMs = 5_000;
const steady = 300;

const rig = await startRig();
const customers = await rig.customers(customerCount);

const items = [
  { product_id: espresso, variation_id: doubleShot, quantity: 2 },
  { product_id: espresso, variation_id: doubleShot, quantity: 1, notes: "to go" },
];
// All but the key is the same each time: to write it anew would take a good part of what reading the answer does.
const key = "the key";
const aroundKey = customers.map(({ token }) =>
  write("POST", "/api/v1/orders", {
    token,
    headers: { "idempotency-key": key },
    body: { items, total_cents: 1050 },
  }).split(key),
);
const order = (nth: number) => aroundKey[nth % customerCount]!.join(uuidv7());

const line = (nth: number, quantity: number) =>
  `(gen_random_uuid(), :id, ${nth}, '${espresso}', '${doubleShot}', 'Espresso', 'Double Shot', '[]', ${quantity}, 350, ${quantity * 350}, null)`;
const transaction = [
  // What a client knows before it begins: not a round trip.
  "\\set customer random(1, 16)",
  "\\set lock random(1, 9000000000000000000)",
  "begin;",
  "select pg_try_advisory_xact_lock(:lock);",
  "select order_id, request_hash from bench_keys where customer_id = (select ids[:customer] from bench_customers) and key_hash = int8send(:lock) and expires_at > now();",
  `select * from product_details where id = '${espresso}';`,
  'insert into orders (id, customer_id, total_cents, fulfillment) select uuidv7(), ids[:customer], 1050, \'{"type": "pickup"}\' from bench_customers returning id, customer_id \\gset',
  `insert into order_items (id, order_id, position, product_id, variation_id, product_name, variation_name, options, quantity, unit_price_cents, total_cents, notes) values ${line(1, 2)}, ${line(2, 1)};`,
  "insert into bench_keys (customer_id, key_hash, request_hash, order_id) values (:customer_id, int8send(:lock), int8send(:lock), :id);",
  "commit;",
];
// What a key made, in a table of its own. The service has none: it reads that in the ledger, which pgbench doesn't write.
await rig.sql`
  create table bench_keys (
    customer_id uuid not null references users on delete cascade,
    key_hash bytea not null,
    request_hash bytea not null,
    order_id uuid not null references orders on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null default now() + interval '24 hours',
    primary key (customer_id, key_hash)
  )`;
await rig.sql`create index on bench_keys (order_id)`;
await rig.sql`create index on bench_keys (expires_at)`;
await rig.sql`create table bench_customers (ids uuid[])`;
await rig.sql`insert into bench_customers values (${customers.map(({ id }) => id)}::uuid[])`;

const figures = ({ latencies, perSecond }: { latencies: number[]; perSecond: number }) => ({
  throughput: perSecond,
  p50: percentile(latencies, 0.5),
  p99: percentile(latencies, 0.99),
});
const postgres = (perSecond?: number) =>
  runStatements(rig.databaseUrl, {
    statements: transaction,
    clients: customerCount,
    ms: roundMs,
    ...(perSecond && { perSecond }),
  }).then(figures);

const placing = await compare(
  "POST /orders, 16 customers",
  { unit: "orders/s", yardstick },
  () =>
    loadFully(rig.port, { connections: customerCount, ms: roundMs, expected: 201 }, order).then((load) => ({
      throughput: load.perSecond,
    })),
  () => postgres().then(({ throughput }) => ({ throughput })),
);
const steadily = await compare(
  `POST /orders at ${steady} a second`,
  { unit: "ms", yardstick },
  () =>
    loadSteadily(rig.port, { perSecond: steady, ms: roundMs, expected: 201 }, order)
      .then(figures)
      .then(({ p50, p99 }) => ({ p50, p99 })),
  () => postgres(steady).then(({ p50, p99 }) => ({ p50, p99 })),
);
await keep("orders", [...placing, ...steadily]);
await rig.close();
