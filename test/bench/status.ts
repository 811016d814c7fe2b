// Moving orders along: the row's lock, the event, the notification with its job. Against pgbench writing the same rows.

import { startRig } from "./bench-environment.ts";
import { loadFully, write } from "./load.ts";
import { compare, keep } from "./paired-runs.ts";
import { runStatements, yardstick } from "./pgbench.ts";

const staffCount = 16;
const roundMs = 5_000;
/** More than both get through. */
const orderCount = 250_000;

const rig = await startRig({ WORKER: "off" });
const [customer] = await rig.customers(1);
await rig.sql`
  insert into orders (id, customer_id, total_cents, fulfillment)
  select uuidv7(), ${customer!.id}, 350, '{"type": "pickup"}' from generate_series(1, ${orderCount})`;
await rig.sql`
  insert into order_items (id, order_id, position, product_id, product_name, quantity, unit_price_cents, total_cents)
  select uuidv7(), id, 1, uuidv7(), 'Espresso', 1, 350, 350 from orders`;
await rig.sql`create table bench_orders as select id, row_number() over () as nth from orders`;
await rig.sql`create unique index on bench_orders (nth)`;
await rig.sql`create sequence bench_next`;
await rig.sql.unsafe("vacuum analyze");
const ids = (await rig.sql<{ id: string }[]>`select id from bench_orders order by nth desc`).map(
  ({ id }) => id,
);

let next = 0;
const token = rig.token("barista");
const advance = () =>
  write("PATCH", `/api/v1/orders/${ids[next++]}/status`, { token, body: { status: "preparation" } });

// The same rows in the service's own steps, as a client of PostgreSQL that needs no answer in JSON would take them.
const transaction = [
  "select id from bench_orders where nth = (select nextval('bench_next')) \\gset",
  "begin;",
  "select status, customer_id from orders where id = :id for update;",
  "update orders set status = 'preparation', status_changed_at = now(), updated_at = now() where id = :id;",
  "insert into events (id, type, subject_id, data) select uuidv7(), 'order.status_changed', o.id, to_jsonb(o) || jsonb_build_object('items', (select json_agg(i) from order_items i where i.order_id = o.id)) from orders o where o.id = :id;",
  "insert into notifications (id, order_id, order_status) values (uuidv7(), :id, 'preparation') returning id as notification \\gset",
  "select graphile_worker.add_job('send_notification', json_build_object('notification_id', :notification::uuid), max_attempts => 15);",
  "commit;",
];

const results = await compare(
  "PATCH /orders/{id}/status, 16 baristas",
  { unit: "changes/s", yardstick },
  () =>
    loadFully(rig.port, { connections: staffCount, ms: roundMs, expected: 200 }, advance).then(
      ({ perSecond }) => ({ throughput: perSecond }),
    ),
  () =>
    runStatements(rig.databaseUrl, { statements: transaction, clients: staffCount, ms: roundMs }).then(
      ({ perSecond }) => ({ throughput: perSecond }),
    ),
);
await keep("status", results);
await rig.close();
