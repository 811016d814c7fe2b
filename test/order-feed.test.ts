import { once } from "node:events";
import { createServer, request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { v7 as uuidv7 } from "uuid";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { startOutboxPublisher } from "../src/events/outbox-publisher.ts";
import { insertEvent } from "../src/events/queries.ts";
import { createOrderFeed } from "../src/order-feed/feed.ts";
import { makeProduct } from "./factories.ts";
import { eventually, expectProblem, openShop, type TestShop, testShop } from "./harness.ts";
import { type EventStream, openStream } from "./sse.ts";
import { signTestToken } from "./tokens.ts";

const shop = testShop({ env: { CORS_ORIGINS: "https://shop.example" } });
/** Another instance on the same database. */
let second: Awaited<ReturnType<typeof openShop>>;
let relay: ReturnType<typeof startOutboxPublisher>;
const urls: string[] = [];
beforeAll(async () => {
  second = await openShop({ databaseUrl: shop.databaseUrl });
  urls.push(await listen(shop), await listen(second));
  relay = openRelay();
});
afterAll(async () => {
  await relay?.stop();
  await second?.close();
});

const openRelay = () => {
  const settings = { databaseUrl: shop.databaseUrl, redisUrl: undefined, kafkaBrokers: [] };
  return startOutboxPublisher(shop.sql, settings, pino({ level: "silent" }));
};

async function listen({ app }: TestShop) {
  await app.listen({ port: 0, host: "127.0.0.1" });
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/api/v1`;
}

let streams: EventStream[] = [];
async function follow(
  path: string,
  token: string,
  { at = 0, ...headers }: { at?: number; [name: string]: unknown } = {},
) {
  const stream = await openStream(urls[at] + path, token, headers as Record<string, string>);
  streams.push(stream);
  return stream;
}
afterEach(() => {
  vi.restoreAllMocks();
  for (const stream of streams) stream.close();
  streams = [];
});

async function openForBusiness() {
  const [customer, barista] = [await shop.as("customer"), await shop.as("barista")];
  const product = await makeProduct(shop.sql);
  const place = async () => {
    const response = await customer.call("POST", "/orders", {
      body: { items: [{ product_id: product.id, quantity: 1 }] },
    });
    expect(response.statusCode, response.body).toBe(201);
    return response.json() as { id: string; status: string };
  };
  const advance = async (id: string, status: string) => {
    const response = await barista.call("PATCH", `/orders/${id}/status`, { body: { status } });
    expect(response.statusCode, response.body).toBe(200);
    return response.json();
  };
  return { customer, barista, place, advance };
}
const steps = ["preparation", "ready", "delivered"];

test("an order's stream: the order, each change with its seq as id, and the end when it is finished", async () => {
  const { customer, place, advance } = await openForBusiness();
  const order = await place();
  const other = await place();
  const stream = await follow(`/orders/${order.id}/events`, customer.token, {
    origin: "https://shop.example",
  });
  expect(stream.response.headers).toMatchObject({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
    "x-request-id": expect.any(String),
    "access-control-allow-origin": "https://shop.example",
  });
  expect(await stream.nth(0)).toEqual({ event: "snapshot", id: undefined, data: order });
  await advance(other.id, "preparation");
  const changed: object[] = [];
  for (const status of steps) changed.push(await advance(order.id, status));
  await stream.ended;
  const [, ...told] = stream.messages;
  expect(told).toEqual(
    steps.map((to, nth) => ({
      event: "order.status_changed",
      id: expect.stringMatching(/^\d+$/),
      data: {
        id: expect.any(String),
        seq: expect.any(Number),
        type: "order.status_changed",
        subject_id: order.id,
        created_at: expect.stringMatching(/Z$/),
        data: { ...changed[nth], from: ["waiting", ...steps][nth], to },
      },
    })),
  );
  expect(told.map(({ id }) => id)).toEqual(told.map(({ data }) => String(data.seq)));
});

test("of a finished order there is a snapshot and the end; what is missed of it comes with the known id", async () => {
  const { customer, place, advance } = await openForBusiness();
  const order = await place();
  const live = await follow(`/orders/${order.id}/events`, customer.token);
  for (const status of steps) await advance(order.id, status);
  await live.ended;
  const late = await follow(`/orders/${order.id}/events`, customer.token);
  await late.ended;
  expect(late.messages).toMatchObject([{ event: "snapshot", data: { status: "delivered" } }]);
  const path = `/orders/${order.id}/events`;
  const missed = await follow(path, customer.token, { at: 1, "last-event-id": live.messages[1]!.id });
  await missed.ended;
  expect(missed.messages).toEqual(live.messages.slice(2));
  const nothing = await follow(path, customer.token, { "last-event-id": live.messages.at(-1)!.id });
  await nothing.ended;
  expect(nothing.messages).toEqual([]);
});

test("an order that is finished while nobody relays: who comes back waits for its last event", async () => {
  const { customer, place, advance } = await openForBusiness();
  const order = await place();
  const path = `/orders/${order.id}/events`;
  const before = await follow(path, customer.token);
  for (const status of ["preparation", "ready"]) await advance(order.id, status);
  const { id } = await before.nth(2);
  await relay.stop();
  await advance(order.id, "delivered");
  const back = await follow(path, customer.token, { "last-event-id": id });
  await sleep(100);
  relay = openRelay();
  await back.ended;
  expect(back.messages).toMatchObject([
    { event: "order.status_changed", data: { data: { to: "delivered" } } },
  ]);
});

test("a Last-Event-ID that makes no sense is ignored", async () => {
  const { customer, place, advance } = await openForBusiness();
  const [order, other] = [await place(), await place()];
  await advance(other.id, "preparation");
  const foreign = await eventually(async () => {
    const [event] = await shop.sql<{ seq: string }[]>`
      select seq from events where subject_id = ${other.id} and seq is not null`;
    return event?.seq;
  });
  for (const id of ["abc", "-1", "0", "1e1", "99999999999999999999999", "999999", " ", "1.5", foreign]) {
    const stream = await follow(`/orders/${order.id}/events`, customer.token, { "last-event-id": id });
    expect(await stream.nth(0), id).toMatchObject({ event: "snapshot", data: { id: order.id } });
    stream.close();
  }
});

test("the board: open orders, oldest first, then every order's events and nothing else", async () => {
  const { customer, barista, place, advance } = await openForBusiness();
  const [done, open, later] = [await place(), await place(), await place()];
  for (const status of steps) await advance(done.id, status);
  const board = await follow("/admin/orders/events", barista.token, { at: 1 });
  expect(await board.nth(0)).toEqual({ event: "snapshot", id: undefined, data: { orders: [open, later] } });
  await insertEvent(shop.sql, { type: "menu.changed", subject_id: uuidv7(), data: {} });
  // A refund of a charge that never had an order.
  await insertEvent(shop.sql, { type: "payment.refunded", subject_id: uuidv7(), data: { amount_cents: 1 } });
  const paid = await place();
  await customer.call("POST", `/orders/${open.id}/cancel`, {});
  await insertEvent(shop.sql, { type: "payment.refunded", subject_id: open.id, data: open });
  await advance(later.id, "preparation");
  await board.nth(4);
  expect(board.messages.slice(1).map(({ event, data }) => [event, data.subject_id])).toEqual([
    ["order.created", paid.id],
    ["order.canceled", open.id],
    ["payment.refunded", open.id],
    ["order.status_changed", later.id],
  ]);
  expect(board.messages[1]!.data.data).toEqual(paid);
  // Back again elsewhere, with what he has seen.
  const back = await follow("/admin/orders/events", barista.token, {
    "last-event-id": board.messages[2]!.id,
  });
  await back.nth(1);
  expect(back.messages).toEqual(board.messages.slice(3));
});

test("a client that comes back through two instances sees each status once and in order", async () => {
  const { customer, place, advance } = await openForBusiness();
  const orders = await Promise.all(Array.from({ length: 15 }, place));
  const seen = orders.map(async ({ id }) => {
    const statuses: string[] = [];
    let lastEventId: string | undefined;
    for (let connection = 0; statuses.at(-1) !== "delivered"; connection++) {
      const stream = await follow(`/orders/${id}/events`, customer.token, {
        at: connection % 2,
        ...(lastEventId && { "last-event-id": lastEventId }),
      });
      // It goes away after a message or two.
      const take = 1 + (connection % 2);
      for (let n = 0; n < take && statuses.at(-1) !== "delivered"; n++) {
        const { id: seq, data, event } = await stream.nth(n);
        const status = event === "snapshot" ? data.status : data.data.status;
        if (event !== "snapshot" || statuses.at(-1) !== status) statuses.push(status);
        lastEventId = seq ?? lastEventId;
      }
      stream.close();
    }
    return statuses;
  });
  for (const status of steps)
    await Promise.all(
      orders.map(async ({ id }) => {
        await sleep(Math.random() * 300);
        await advance(id, status);
      }),
    );
  const all = ["waiting", ...steps];
  for (const statuses of await Promise.all(seen))
    expect(statuses).toEqual(all.slice(all.indexOf(statuses[0]!)));
});

test("whenever a stream is opened, nothing is missing between the snapshot and what follows, and nothing is told twice", async () => {
  const { customer, place, advance } = await openForBusiness();
  const orders = await Promise.all(Array.from({ length: 20 }, place));
  const opened = orders.flatMap(({ id }) =>
    Array.from({ length: 4 }, async (_, nth) => {
      await sleep(Math.random() * 400);
      const stream = await follow(`/orders/${id}/events`, customer.token, { at: nth % 2 });
      await stream.ended;
      return stream.messages.map(({ event, data }) =>
        event === "snapshot" ? data.status : data.data.status,
      );
    }),
  );
  for (const status of steps)
    await Promise.all(
      orders.map(async ({ id }) => {
        await sleep(Math.random() * 100);
        await advance(id, status);
      }),
    );
  const all = ["waiting", ...steps];
  for (const statuses of await Promise.all(opened))
    expect(statuses).toEqual(all.slice(all.indexOf(statuses[0])));
});

test("it goes on after PostgreSQL has cut the connection that listens", async () => {
  const { customer, place, advance } = await openForBusiness();
  const order = await place();
  const stream = await follow(`/orders/${order.id}/events`, customer.token);
  await stream.nth(0);
  const cut = await shop.sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and query like 'listen%'`;
  expect(cut.length).toBeGreaterThan(0);
  await sleep(500);
  const before = Date.now();
  await advance(order.id, "preparation");
  await stream.nth(1);
  expect(Date.now() - before).toBeLessThan(900);
});

test("a quiet stream gets a comment every 15 seconds", async () => {
  const { customer, place } = await openForBusiness();
  const order = await place();
  const stream = await follow(`/orders/${order.id}/events`, customer.token);
  await stream.nth(0);
  const now = Date.now;
  vi.spyOn(Date, "now").mockImplementation(() => now() + 15_000);
  await eventually(() => stream.comments.length === 1);
});

test("a stream ends soon after its follower is staff no more; the others stay", async () => {
  const { customer, barista, place } = await openForBusiness();
  const order = await place();
  const [demoted, left] = [await shop.as("barista"), await shop.as("barista")];
  const ending = [
    await follow("/admin/orders/events", demoted.token),
    await follow(`/orders/${order.id}/events`, demoted.token),
    await follow("/admin/orders/events", left.token),
  ];
  const staying = [
    await follow("/admin/orders/events", barista.token),
    await follow(`/orders/${order.id}/events`, customer.token),
  ];
  for (const stream of [...ending, ...staying]) await stream.nth(0);
  await shop.sql`update users set role = 'customer' where id = ${demoted.id}`;
  await shop.sql`update users set deleted_at = now() where id = ${left.id}`;
  const now = Date.now;
  vi.spyOn(Date, "now").mockImplementation(() => now() + 15_000);
  for (const stream of ending) await stream.ended;
  await place();
  expect((await staying[0]!.nth(1)).event).toBe("order.created");
  expect(staying.map(({ response }) => response.complete)).toEqual([false, false]);
});

test("a stream ends within seconds of its token's expiry", async () => {
  const { barista } = await openForBusiness();
  const exp = Math.floor(Date.now() / 1000) + 2;
  const token = signTestToken({ sub: barista.id, role: "barista", exp }, shop.app.settings.jwtSecrets[0]);
  const stream = await follow("/admin/orders/events", token);
  await stream.nth(0);
  await stream.ended;
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  expect(Date.now()).toBeLessThan(exp * 1000 + 3_000);
  expect(stream.response.complete).toBe(true);
});

test("who may follow what", async () => {
  const { customer, barista, place } = await openForBusiness();
  const stranger = await shop.as("customer");
  const { id } = await place();
  expectProblem(await shop.call("GET", `/orders/${id}/events`), 401, "unauthorized");
  expectProblem(await shop.call("GET", "/admin/orders/events"), 401, "unauthorized");
  expectProblem(await stranger.call("GET", `/orders/${id}/events`), 404, "not_found");
  expectProblem(await customer.call("GET", `/orders/${uuidv7()}/events`), 404, "not_found");
  expectProblem(await customer.call("GET", "/orders/espresso/events"), 400, "validation_failed");
  expectProblem(await customer.call("GET", "/admin/orders/events"), 403, "forbidden");
  const staff = await follow(`/orders/${id}/events`, barista.token);
  expect((await staff.nth(0)).data.id).toBe(id);
});

test("a slow reader is cut, and the others get everything", async () => {
  const { barista } = await openForBusiness();
  const fast = await follow("/admin/orders/events", barista.token);
  await fast.nth(0);
  const { hostname, port } = new URL(urls[0]!);
  let serverSide: Socket | undefined;
  shop.app.server.once("connection", (socket) => {
    serverSide = socket;
  });
  const slow = connect(Number(port), hostname);
  let closed = false;
  slow.on("close", () => {
    closed = true;
  });
  slow.on("error", () => {});
  slow.write(
    `GET /api/v1/admin/orders/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${barista.token}\r\n\r\n`,
  );
  await sleep(200);
  const id = uuidv7();
  const count = 300;
  for (let n = 0; n < count; n++)
    await insertEvent(shop.sql, {
      type: "order.created",
      subject_id: id,
      data: { n, filler: "x".repeat(50_000) },
    });
  await fast.nth(count);
  expect(fast.messages.slice(1).map(({ data }) => data.data.n)).toEqual(
    Array.from({ length: count }, (_, n) => n),
  );
  await eventually(() => serverSide!.destroyed, 10);
  // What the kernels hold is still read, and then comes the end.
  let received = 0;
  slow.on("data", (chunk) => {
    received += chunk.length;
  });
  await eventually(() => closed, 10);
  expect(received).toBeLessThan(count * 50_000);
  slow.destroy();
});

test("a client that goes away, even at once, is forgotten", async () => {
  const live = createOrderFeed(shop.sql, shop.app.log);
  const server = createServer(async (_request, response) => {
    // As a guard takes it.
    await sleep(5);
    const what = { orderId: uuidv7(), expiresAt: Number.POSITIVE_INFINITY, lastEventId: undefined, response };
    const frames = await live.subscribe({ ...what, snapshot: async () => ({ status: "waiting" }) });
    frames.pipe(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  for (let n = 0; n < 30; n++) {
    const outgoing = request({ port: (server.address() as AddressInfo).port, agent: false }).end();
    outgoing.on("error", () => {});
    await sleep(n);
    outgoing.destroy();
  }
  await sleep(50);
  await eventually(() => live.count().order === 0);
  await live.close();
  server.close();
});

test("streams do not hold the shutdown, not even one that nobody reads", async () => {
  const own = await openShop({ databaseUrl: shop.databaseUrl });
  const url = await listen(own);
  const { barista } = await openForBusiness();
  const stream = await openStream(`${url}/admin/orders/events`, barista.token);
  await stream.nth(0);
  const stuck = connect(Number(new URL(url).port), "127.0.0.1");
  stuck.on("error", () => {});
  stuck.write(
    `GET /api/v1/admin/orders/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${barista.token}\r\n\r\n`,
  );
  stuck.pause();
  await sleep(200);
  for (let n = 0; n < 150; n++)
    await insertEvent(shop.sql, {
      type: "order.created",
      subject_id: uuidv7(),
      data: { filler: "x".repeat(100_000) },
    });
  await stream.nth(150);
  const before = Date.now();
  await own.app.close();
  expect(Date.now() - before).toBeLessThan(4_000);
  await stream.ended;
  expect(stream.response.complete).toBe(true);
  await own.close();
  stuck.destroy();
});
