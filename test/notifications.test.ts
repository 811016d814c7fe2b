import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { startWorker, type Worker } from "../src/jobs.ts";
import { makeProduct } from "./factories.ts";
import { eventually, expectProblem, testShop } from "./harness.ts";

const shop = testShop({ env: { NOTIFICATION_TIMEOUT_MS: "300" } });

let worker: Worker | undefined;
const work = async () => {
  const settings = shop.app.settings as Parameters<typeof startWorker>[0];
  worker = await startWorker(settings, shop.sql, pino({ level: "silent" }));
};
afterEach(async () => {
  await worker?.stop();
  worker = undefined;
});

async function advance() {
  const [customer, barista] = [await shop.as("customer"), await shop.as("barista")];
  const product = await makeProduct(shop.sql);
  const body = { items: [{ product_id: product.id, quantity: 1 }] };
  const { id } = (await customer.call("POST", "/orders", { body })).json();
  const response = await barista.call("PATCH", `/orders/${id}/status`, { body: { status: "preparation" } });
  expect(response.statusCode).toBe(200);
  return id as string;
}

const row = (status: string) =>
  eventually(async () => (await shop.sql`select * from notifications where status = ${status}`)[0]);

test("exactly the status is posted, with the order's and the notification's id in the headers", async () => {
  await work();
  shop.provider.answer = () => ({ status: 200, body: { success: true, token: "x" } });
  const orderId = await advance();
  const notification = await row("sent");
  expect(notification).toMatchObject({ order_id: orderId, order_status: "preparation", attempts: 1 });
  expect(notification.response).toMatchObject({ status: 200, body: { success: true, token: "[redacted]" } });
  expect(notification.sent_at).not.toBeNull();
  const [call, ...others] = shop.provider.callsTo("/notifications");
  expect(others).toEqual([]);
  expect(call!.body).toEqual({ status: "preparation" });
  expect(call!.headers).toMatchObject({ "x-order-id": orderId, "idempotency-key": notification.id });
});

test("a placement notifies nothing", async () => {
  const customer = await shop.as("customer");
  const product = await makeProduct(shop.sql);
  await customer.call("POST", "/orders", { body: { items: [{ product_id: product.id, quantity: 1 }] } });
  expect(await shop.sql`select * from notifications`).toHaveLength(0);
  expect(await shop.sql`select * from graphile_worker.jobs`).toHaveLength(0);
});

test.each([
  ["an error", { status: 500 } as const],
  ["no answer", "silence" as const],
  ["a no", { status: 200, body: { success: false } } as const],
])("after %s it is tried again with the same key, and the order is untouched", async (_what, failure) => {
  await work();
  shop.provider.answer = (call, nth) =>
    call.path === "/notifications" && nth === 1 ? failure : { status: 200, body: { success: true } };
  const orderId = await advance();
  const failed = await row("failed");
  expect(failed).toMatchObject({ attempts: 1, sent_at: null });
  // The queue learns of it after the notification.
  await eventually(async () => {
    const [job] = await shop.sql`select attempts, run_at > now() as later from graphile_worker.jobs`;
    return job?.attempts === 1 && job.later;
  });
  await shop.sql`update graphile_worker._private_jobs set run_at = now()`;
  expect(await row("sent")).toMatchObject({ id: failed.id, attempts: 2 });
  const keys = shop.provider.callsTo("/notifications").map(({ key }) => key);
  expect(keys).toEqual([failed.id, failed.id]);
  const [order] = await shop.sql`select status from orders where id = ${orderId}`;
  expect(order).toEqual({ status: "preparation" });
});

test("a job that comes twice sends once", async () => {
  await advance();
  await shop.sql`
    with replaced as (delete from graphile_worker._private_jobs)
    select graphile_worker.add_job('send_notification', json_build_object('notification_id', id), queue_name => 'one')
    from notifications, generate_series(1, 2)`;
  await work();
  await eventually(async () => (await shop.sql`select from graphile_worker.jobs`).length === 0);
  expect(await row("sent")).toMatchObject({ attempts: 1 });
  expect(shop.provider.callsTo("/notifications")).toHaveLength(1);
});

test("managers list what was sent and what was not; nobody else does", async () => {
  const [manager, barista] = [await shop.as("manager"), await shop.as("barista")];
  const orderId = await advance();
  await advance();
  await shop.sql`update notifications set status = 'failed', attempts = 1 where order_id = ${orderId}`;
  const all = (await manager.call("GET", "/admin/notifications")).json();
  expect(all.items).toHaveLength(2);
  expect(all.next_cursor).toBeNull();
  const failed = (await manager.call("GET", "/admin/notifications?status=failed")).json();
  expect(failed.items).toEqual([
    {
      id: expect.any(String),
      order_id: orderId,
      order_status: "preparation",
      status: "failed",
      attempts: 1,
      response: null,
      created_at: expect.any(String),
      sent_at: null,
    },
  ]);
  const first = (await manager.call("GET", "/admin/notifications?limit=1")).json();
  const second = (
    await manager.call("GET", `/admin/notifications?limit=1&cursor=${first.next_cursor}`)
  ).json();
  expect([...first.items, ...second.items]).toEqual(all.items);
  expect(second.next_cursor).toBeNull();
  expectProblem(await manager.call("GET", "/admin/notifications?status=lost"), 400, "validation_failed");
  expectProblem(await barista.call("GET", "/admin/notifications"), 403, "forbidden");
  expectProblem(await shop.call("GET", "/admin/notifications"), 401, "unauthorized");
});

test("a manager has a failed one sent again at once, under the same key; one that was sent is left as it is", async () => {
  const manager = await shop.as("manager");
  await work();
  shop.provider.answer = ({ path }) => ({ status: path === "/notifications" ? 500 : 200 });
  await advance();
  const { id } = await row("failed");
  shop.provider.answer = () => ({ status: 200, body: { success: true } });
  await worker?.stop();

  const retry = () => manager.call("POST", `/admin/notifications/${id}/retry`);
  for (let n = 0; n < 2; n++) {
    const response = await retry();
    expect(response.statusCode).toBe(202);
    expect(response.json()).toMatchObject({ id, status: "pending", attempts: 1 });
  }
  // One job, however often it is asked for, and with all its tries before it.
  const jobs = await shop.sql`select attempts, run_at <= now() as due from graphile_worker.jobs`;
  expect(jobs).toEqual([{ attempts: 0, due: true }]);
  await work();
  const sent = await row("sent");
  expect(sent).toMatchObject({ id, attempts: 2 });
  expect((await retry()).json()).toMatchObject({ id, status: "sent", attempts: 2, sent_at: sent.sent_at });
  // The worker puts a job away a moment after the notification says that it was sent.
  await eventually(async () => (await shop.sql`select from graphile_worker.jobs`).length === 0);
  expect(shop.provider.callsTo("/notifications").map(({ key }) => key)).toEqual([id, id]);
});

test("only a manager retries, and only what is there", async () => {
  const [manager, barista] = [await shop.as("manager"), await shop.as("barista")];
  const path = (id: string) => `/admin/notifications/${id}/retry`;
  expectProblem(await shop.call("POST", path("x")), 401, "unauthorized");
  expectProblem(await barista.call("POST", path("x")), 403, "forbidden");
  expectProblem(await manager.call("POST", path("x")), 400, "validation_failed");
  expectProblem(await manager.call("POST", path(crypto.randomUUID())), 404, "not_found");
});
