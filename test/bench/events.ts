// Measures the events: `node test/bench/events.ts`. How many go through the outbox in a second, with and without Redis
// behind it, and how long it takes from the commit of a change to the client of a stream, with 1,000 of them open.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { pino } from "pino";
import { v7 as uuidv7 } from "uuid";
import { buildApp } from "../../src/app.ts";
import { signAccessToken } from "../../src/auth/tokens.ts";
import { openMenu } from "../../src/catalog/menu-snapshot.ts";
import { readSettings } from "../../src/config.ts";
import { openPool } from "../../src/db.ts";
import { insertEvent } from "../../src/events/queries.ts";
import { startRelay } from "../../src/events/relay.ts";
import { migrate } from "../../src/migrate.ts";
import { openCounter } from "../../src/orders/place.ts";
import { startPostgres } from "../../src/sandbox/postgres.ts";
import { launchRedis, noRedis } from "../redis-server.ts";
import { type EventStream, openStream } from "../sse.ts";

const log = pino({ level: "silent" });
const streams = 1_000;
const data = {
  status: "waiting",
  items: Array.from({ length: 3 }, () => ({
    id: uuidv7(),
    product_name: "Espresso",
    quantity: 1,
    notes: null,
  })),
};

// The clients of the streams: a process of their own, which tells when what arrived.
if (process.send) {
  const { url, token, ids } = JSON.parse(process.argv[2]!) as { url: string; token: string; ids: string[] };
  const open: EventStream[] = [];
  for (const id of ids) {
    const stream = await openStream(`${url}/orders/${id}/events`, token);
    await stream.nth(0);
    open.push(stream);
  }
  process.send("open");
  open.forEach((stream) => {
    stream
      .nth(1, 60_000)
      .then(({ id }) => process.send!({ id, at: performance.timeOrigin + performance.now() }));
  });
  await sleep(60_000);
} else await measure();

async function measure() {
  const folder = await mkdtemp(join(tmpdir(), "ristretto-bench-"));
  const postgres = await startPostgres(folder, {});
  try {
    await migrate(postgres.url);
    await measureOutbox(postgres.url);
    await measureLatency(postgres.url);
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true });
  }
}

async function measureOutbox(databaseUrl: string) {
  const sql = openPool(databaseUrl, { name: "bench", max: 20 });
  const count = 10_000;
  const write = async () => {
    const started = performance.now();
    const lane = async () => {
      for (let n = 0; n < count / 20; n++)
        await insertEvent(sql, { type: "order.created", subject_id: uuidv7(), data });
    };
    await Promise.all(Array.from({ length: 20 }, lane));
    return Math.round((count / (performance.now() - started)) * 1_000);
  };
  const until = async (done: () => Promise<boolean>) => {
    while (!(await done())) await sleep(5);
  };
  console.log(`written, by 20 at once:       ${await write()} events/s`);

  const settings = { databaseUrl, redisUrl: undefined, kafkaBrokers: [] };
  let started = performance.now();
  const rate = () => Math.round((count * 1_000) / (performance.now() - started));
  let relay = startRelay(sql, settings, log);
  await until(async () => (await sql`select from events where seq is null limit 1`).length === 0);
  console.log(`stamped, from a backlog:      ${rate()} events/s`);
  await relay.stop();
  if (!noRedis) {
    const redis = await launchRedis();
    const client = new Redis(redis.url);
    relay = startRelay(sql, { ...settings, redisUrl: redis.url }, log);
    started = performance.now();
    await until(async () => (await client.xlen("ristretto:events")) >= count);
    console.log(`to Redis, from a backlog:     ${rate()} events/s`);
    const before = performance.now();
    await write();
    await until(async () => (await client.xlen("ristretto:events")) >= 2 * count);
    console.log(
      `written, stamped, to Redis:   ${Math.round((count * 1_000) / (performance.now() - before))} events/s`,
    );
    await relay.stop();
    client.disconnect();
    await redis.stop();
  }
  await sql.end();
}

async function measureLatency(databaseUrl: string) {
  const settings = readSettings({
    DATABASE_URL: databaseUrl,
    PAYMENT_SERVICE_URL: "http://127.0.0.1:1",
    NOTIFICATION_SERVICE_URL: "http://127.0.0.1:1",
    RATE_LIMIT_MAX: "0",
  }) as Parameters<typeof openCounter>[0];
  const sql = openPool(databaseUrl, { name: "api", max: 10 });
  const counter = openCounter(settings);
  const menu = openMenu(settings, sql, log);
  const app = await buildApp({ settings, sql, counter, menu, redis: undefined, log });
  const relay = startRelay(sql, settings, log);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/api/v1`;

  const customer = uuidv7();
  await sql`insert into users (id, email, role, verified_at) values (${customer}, 'bench@example.com', 'customer', now())`;
  const ids = Array.from({ length: streams }, () => uuidv7());
  for (const id of ids)
    await sql`insert into orders (id, customer_id, total_cents, fulfillment) values (${id}, ${customer}, 1, '{}')`;
  const token = signAccessToken(app, { id: customer, role: "customer" });
  const clients = fork(new URL(import.meta.url).pathname, [JSON.stringify({ url, token, ids })]);
  await once(clients, "message");

  const committed = new Map<string, number>();
  const latencies: number[] = [];
  const arrivals: { id: string; at: number }[] = [];
  clients.on("message", (arrival: { id: string; at: number }) => arrivals.push(arrival));
  const bySubject = new Map<string, number>();
  // 100 changes a second, which is more than a shop makes.
  for (const id of ids) {
    await sql.begin((tx) =>
      insertEvent(tx, { type: "order.status_changed", subject_id: id, data: { id, ...data } }),
    );
    bySubject.set(id, performance.timeOrigin + performance.now());
    await sleep(10);
  }
  while (arrivals.length < streams) await sleep(10);
  for (const {
    seq,
    subject_id,
  } of await sql`select seq, subject_id from events where subject_id in ${sql(ids)}`)
    committed.set(String(seq), bySubject.get(subject_id)!);
  for (const { id, at } of arrivals) latencies.push(at - committed.get(id)!);
  latencies.sort((a, b) => a - b);
  const at = (share: number) => `${latencies[Math.floor(latencies.length * share)]!.toFixed(1)} ms`;
  console.log(
    `commit to client, ${streams} streams: median ${at(0.5)}, p99 ${at(0.99)}, longest ${at(0.999)}`,
  );

  clients.kill();
  await relay.stop();
  await app.close();
  await menu.close();
  await counter.close();
  await sql.end();
}
