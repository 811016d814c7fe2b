// The sinks against real servers, which are killed, emptied and started again in the middle of the writes.
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { pino } from "pino";
import { v7 as uuidv7 } from "uuid";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startOutboxPublisher } from "../src/events/outbox-publisher.ts";
import { insertEvent } from "../src/events/queries.ts";
import type { Event } from "../src/events/schemas.ts";
import { freePort } from "./free-port.ts";
import { eventually, testShop } from "./harness.ts";
import { type Broker, noKafka, startBroker } from "./kafka/broker.ts";
import { testRedis } from "./redis.ts";
import { noRedis } from "./redis-server.ts";

const shop = testShop();

let relay: ReturnType<typeof startOutboxPublisher> | undefined;
const start = (sinks: { redisUrl?: string; kafkaBrokers?: string[] }) => {
  const settings = { databaseUrl: shop.databaseUrl, redisUrl: undefined, kafkaBrokers: [], ...sinks };
  relay = startOutboxPublisher(shop.sql, settings, pino({ level: "silent" }));
};
const stop = async () => {
  await relay?.stop();
  relay = undefined;
};
beforeEach(() => shop.sql`truncate event_sinks, event_dead_letters`);
afterEach(stop);

const subjects = Array.from({ length: 20 }, () => uuidv7());
let written = 0;

/** Writes `count` events, of several subjects at once and of each in order. */
async function write(count: number, data: object = {}) {
  const lanes = subjects.map(async (subject_id, lane) => {
    for (let n = lane; n < count; n += subjects.length)
      await insertEvent(shop.sql, { type: "menu.changed", subject_id, data: { ...data, n: written++ } });
  });
  await Promise.all(lanes);
}

const position = async (sink: string) => {
  const [row] = await shop.sql<{ position: number }[]>`
    select position::int as position from event_sinks where name = ${sink}`;
  return row?.position ?? 0;
};
const caughtUp = (sink: string, seconds = 10) =>
  eventually(async () => {
    const [{ last_seq, open }] = await shop.sql<[{ last_seq: number; open: number }]>`
      select last_seq::int as last_seq, (select count(*)::int from events where seq is null) as open from event_sequence`;
    return open === 0 && (await position(sink)) === last_seq;
  }, seconds);

const written_ids = async () => {
  const rows = await shop.sql<{ id: string }[]>`select id from events order by seq`;
  return rows.map(({ id }) => id);
};

/** Expects each event of the table at least once, and the first coming of each, per subject, in the order of seq. */
async function expectAllInOrder(got: Event[]) {
  const firsts = [...new Map(got.toReversed().map((event) => [event.id, event])).values()];
  expect(firsts.map(({ id }) => id).sort()).toEqual((await written_ids()).sort());
  for (const [, ofSubject] of Map.groupBy(got, ({ subject_id }) => subject_id)) {
    const seen = new Set<number>();
    const seqs = ofSubject.map(({ seq }) => seq).filter((seq) => !seen.has(seq) && seen.add(seq));
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  }
}

describe.skipIf(noRedis)("Redis", () => {
  const redis = testRedis();
  let client: Redis;
  beforeAll(async () => {
    client = new Redis(redis.url, { retryStrategy: () => 50 });
    client.on("error", () => {});
  });
  beforeEach(async () => void (await client.flushall()));
  afterAll(() => client?.disconnect());

  /** A consumer: reads the stream from where it is, and from its beginning when it was emptied. */
  function consume() {
    const got: Event[] = [];
    let last = "0";
    let open = true;
    const reader = client.duplicate();
    reader.on("error", () => {});
    const reading = (async () => {
      while (open) {
        const answer = await reader
          .xread("COUNT", 500, "BLOCK", 50, "STREAMS", "ristretto:events", last)
          .catch(() => null);
        for (const [id, fields] of answer?.[0]?.[1] ?? []) {
          last = id;
          got.push(JSON.parse(fields[1]!));
        }
        if (!answer) await sleep(10);
      }
      reader.disconnect();
    })();
    const stop = async () => {
      open = false;
      await reading;
    };
    return { got, stop };
  }

  const entries = async () => (await client.xrange("ristretto:events", "-", "+")).map(([, fields]) => fields);

  test("an event is one field of JSON, exactly once while all is well", async () => {
    start({ redisUrl: redis.url });
    await write(50);
    await caughtUp("redis");
    const all = await entries();
    expect(all.map(([field]) => field)).toEqual(Array(50).fill("event"));
    const rows = await shop.sql`
      select id, seq::int as seq, type, subject_id, created_at, data from events order by seq`;
    expect(all.map(([, json]) => JSON.parse(json!))).toEqual([...rows]);
  });

  test("stopped and emptied in the middle of 2,000 writes: nothing is lost, and each subject's order is kept", async () => {
    start({ redisUrl: redis.url });
    const consumer = consume();
    await write(500);
    // Emptied, and written to at once.
    const writing = write(500);
    await sleep(100);
    await client.flushall();
    await writing;
    // Killed, which empties this one too, and away for a while.
    await redis.stop();
    await write(500);
    await redis.start();
    await write(500);
    await caughtUp("redis");
    await eventually(async () => new Set(consumer.got.map(({ id }) => id)).size === 2_000, 10);
    await consumer.stop();
    await expectAllInOrder(consumer.got);
    // Also for one who reads only now.
    await expectAllInOrder((await entries()).map(([, json]) => JSON.parse(json!)));
  });

  test("emptied when nothing happens, it is filled again", async () => {
    start({ redisUrl: redis.url });
    await write(40);
    await caughtUp("redis");
    await client.flushall();
    await eventually(async () => (await entries()).length === 40);
  });

  test("entries that a consumer deletes do not come back, and a foreign stream is gone on with", async () => {
    await client.xadd("ristretto:events", "*", "other", "thing");
    start({ redisUrl: redis.url });
    await write(20);
    await caughtUp("redis");
    expect(await entries()).toHaveLength(21);
    const ids = (await client.xrange("ristretto:events", "-", "+")).map(([id]) => id);
    await client.xdel("ristretto:events", ...ids);
    await sleep(1_200);
    expect(await entries()).toHaveLength(0);
    await write(20);
    await caughtUp("redis");
    expect(await entries()).toHaveLength(20);
  });

  test("what was sent before its relay died is not sent again", async () => {
    start({ redisUrl: redis.url });
    await write(20);
    await caughtUp("redis");
    await stop();
    await shop.sql`update event_sinks set position = position - 15, cursor = '1-1'`;
    start({ redisUrl: redis.url });
    await write(20);
    await caughtUp("redis");
    expect(await entries()).toHaveLength(40);
  });

  test("an event that is too large for it does not stop the others", async () => {
    await client.config("SET", "proto-max-bulk-len", "1048576");
    start({ redisUrl: redis.url });
    await write(20);
    await insertEvent(shop.sql, {
      type: "menu.changed",
      subject_id: subjects[0]!,
      data: "x".repeat(1_100_000),
    });
    await write(20);
    await caughtUp("redis", 15);
    const all = await entries();
    expect(new Set(all.map(([, json]) => JSON.parse(json!).id)).size).toBe(40);
    expect(await shop.sql`select sink, error from event_dead_letters`).toEqual([
      { sink: "redis", error: expect.stringContaining("bulk length") },
    ]);
    await client.config("SET", "proto-max-bulk-len", "512mb");
  });

  test("one that is down delays itself alone", async () => {
    const nobody = `127.0.0.1:${await freePort()}`;
    start({ redisUrl: redis.url, kafkaBrokers: [nobody] });
    await write(100);
    await caughtUp("redis");
    expect(await position("kafka")).toBe(0);
  });
});

describe.skipIf(noKafka)("Kafka", () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker();
  }, 90_000);
  afterAll(() => broker?.close());

  /** All that is in the topic, with its key and in each partition's order. */
  async function consumeAll(): Promise<{ key: string; event: Event }[]> {
    const { Consumer, MessagesStreamModes, stringDeserializers } = await import("@platformatic/kafka");
    const consumer = new Consumer({
      clientId: "test",
      groupId: uuidv7(),
      bootstrapBrokers: [broker.address],
      deserializers: stringDeserializers,
    });
    const stream = await consumer.consume({
      topics: ["ristretto.events"],
      mode: MessagesStreamModes.EARLIEST,
      maxWaitTime: 50,
    });
    const got: { key: string; event: Event }[] = [];
    stream.on("data", ({ key, value }) => got.push({ key, event: JSON.parse(value) }));
    for (let before = -1; got.length !== before || got.length === 0; await sleep(700)) before = got.length;
    await consumer.close(true);
    return got;
  }

  test("killed and started again in the middle of the writes: nothing is lost, and each subject's order is kept", async () => {
    start({ kafkaBrokers: [broker.address] });
    await write(500);
    await caughtUp("kafka", 20);
    const writing = (async () => {
      for (let n = 0; n < 20; n++) await write(50);
    })();
    await sleep(150);
    await broker.kill();
    await writing;
    await insertEvent(shop.sql, {
      type: "menu.changed",
      subject_id: subjects[0]!,
      data: "x".repeat(300_000),
    });
    await broker.start();
    await write(500);
    await caughtUp("kafka", 30);
    const got = await consumeAll();
    // What is larger than the broker takes is told of, and stops nobody.
    const refused = await shop.sql<
      { event_id: string }[]
    >`select event_id from event_dead_letters where sink = 'kafka'`;
    expect(refused).toHaveLength(1);
    await shop.sql`delete from events where id = ${refused[0]!.event_id}`;
    await expectAllInOrder(got.map(({ event }) => event));
    expect(got.filter(({ key, event }) => key !== event.subject_id)).toEqual([]);
    console.log(`Kafka: ${got.length} messages of 2000 events`);
  }, 90_000);
});
