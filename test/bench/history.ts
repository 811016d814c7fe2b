// A customer's history and the board's list over 2,000,000 orders, first and last page, against 20,000.

import { type Rig, startRig } from "./bench-environment.ts";
import { loadSteadily, percentile, write } from "./load.ts";
import { compare, keep } from "./paired-runs.ts";

const few = 20_000;
const many = 2_000_000;
const perSecond = 100;
const roundMs = 3_000;

async function prepare(orders: number) {
  const rig = await startRig({ WORKER: "off" });
  const [customer, ...others] = await rig.customers(10);
  await rig.sql.begin(async (tx) => {
    await tx`set local statement_timeout = 0`;
    // Each tenth order is one customer's; ids are as old as their orders, a second apart.
    await tx`
      insert into orders (id, customer_id, total_cents, fulfillment, status, created_at)
      select
        uuidv7(at - now()), case when nth % 10 = 0 then ${customer!.id}::uuid else ${others[0]!.id}::uuid end,
        350, '{"type": "pickup"}', 'delivered', at
      from (select nth, now() - nth * interval '1 second' as at from generate_series(1, ${orders}) as nth) as made`;
    await tx`
      insert into order_items (id, order_id, position, product_id, product_name, quantity, unit_price_cents, total_cents)
      select uuidv7(), id, 1, uuidv7(), 'Espresso', 1, 350, 350 from orders`;
  });
  const patient = await rig.sql.reserve();
  await patient`set statement_timeout = 0`;
  await patient`vacuum analyze`;
  patient.release();
  const cursorBefore = async (customerId?: string) => {
    const [row] = await rig.sql<{ id: string }[]>`
      select id from orders ${customerId ? rig.sql`where customer_id = ${customerId}` : rig.sql``}
      order by id offset 20 limit 1`;
    return Buffer.from(row!.id).toString("base64url");
  };
  const history = "/api/v1/users/me/orders";
  const board = "/api/v1/admin/orders";
  const [mine, all] = [await cursorBefore(customer!.id), await cursorBefore()];
  const asCustomer = { token: customer!.token };
  const asBarista = { token: rig.token("barista") };
  return {
    rig,
    pages: {
      "history, first page": write("GET", history, asCustomer),
      "history, last page": write("GET", `${history}?cursor=${mine}`, asCustomer),
      "board, first page": write("GET", board, asBarista),
      "board, last page": write("GET", `${board}?cursor=${all}`, asBarista),
    },
  };
}

/** The median of each page, in milliseconds. */
async function read({ rig, pages }: { rig: Rig; pages: Record<string, string> }) {
  const figures: Record<string, number> = {};
  for (const [name, request] of Object.entries(pages)) {
    const { latencies } = await loadSteadily(
      rig.port,
      { perSecond, ms: roundMs, expected: 200 },
      () => request,
    );
    figures[name] = percentile(latencies, 0.5);
  }
  return figures;
}

const small = await prepare(few);
const large = await prepare(many);
const results = await compare(
  `pages over ${many.toLocaleString("en")} orders`,
  { unit: "ms", yardstick: `over ${few.toLocaleString("en")}` },
  () => read(large),
  () => read(small),
);
await keep("history", results);
await small.rig.close();
await large.rig.close();
