// How many events go through the outbox in a second: written, stamped and, where there is a redis-server, in Redis.
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { pino } from "pino";
import { v7 as uuidv7 } from "uuid";
import { openPool } from "../../src/db/pool.ts";
import { startOutboxPublisher } from "../../src/events/outbox-publisher.ts";
import { insertEvent } from "../../src/events/queries.ts";
import { launchRedis, noRedis } from "../redis-server.ts";
import { startDatabase } from "./bench-environment.ts";
import { keep } from "./paired-runs.ts";

const count = 10_000;
const writers = 20;

const log = pino({ level: "silent" });
const database = await startDatabase();
const sql = openPool(database.url, { name: "bench", max: writers });
const settings = { databaseUrl: database.url, redisUrl: undefined, kafkaBrokers: [] };
const lines = [{ product_name: "Espresso", quantity: 1, notes: null }];

async function write() {
  const writer = async () => {
    for (let n = 0; n < count / writers; n++)
      await insertEvent(sql, { type: "order.created", subject_id: uuidv7(), data: { items: lines } });
  };
  await Promise.all(Array.from({ length: writers }, writer));
}

const results: Record<string, number> = {};
/** Takes what is done `count` times; notes how many a second that is. */
async function measure(what: string, work: () => Promise<unknown>) {
  const began = performance.now();
  await work();
  results[what] = Math.round((count / (performance.now() - began)) * 1_000);
  console.log(`events ${what}: ${results[what]} a second`);
}
async function until(done: () => Promise<boolean>) {
  while (!(await done())) await sleep(5);
}

await measure(`written, by ${writers} at once`, write);
let relay: ReturnType<typeof startOutboxPublisher> | undefined;
await measure("stamped, from a backlog", () => {
  relay = startOutboxPublisher(sql, settings, log);
  return until(async () => (await sql`select from events where seq is null limit 1`).length === 0);
});
await relay?.stop();
if (!noRedis) {
  const redis = await launchRedis();
  const client = new Redis(redis.url);
  const published = (events: number) => until(async () => (await client.xlen("ristretto:events")) >= events);
  await measure("to Redis, from a backlog", () => {
    relay = startOutboxPublisher(sql, { ...settings, redisUrl: redis.url }, log);
    return published(count);
  });
  await measure("written, stamped and in Redis", async () => {
    await write();
    await published(2 * count);
  });
  await relay?.stop();
  client.disconnect();
  await redis.stop();
}
await keep("events", results);
await sql.end();
await database.close();
