// The outbox publisher: assigns seq to committed events and wakes the sinks.
//
// Why a reader of seq misses no event and sees no event out of order:
//
//  - An event gets its seq after its commit, by a statement that sees it. A transaction of a minute is invisible until it
//    commits, and then gets a seq above all that readers have read. A rolled back event never gets one.
//  - seq increments a row in the same transaction. Both commit or neither: no gap, no repeat. Each batch becomes visible
//    as a whole.
//  - Changes of one subject are made under the lock of its row. So the second event is written after the first has
//    committed, and a batch is ordered by insert_no.
//
// One process assigns at a time: the holder of a session advisory lock. Each batch asks for the lock in its own
// transaction, on the pool's single connection. A lost connection loses the lock and fails the transaction.
//
// The publisher polls. A NOTIFY in each writing transaction would serialize the commits. Readers get one NOTIFY a batch.
//
// When the leader dies, PostgreSQL frees the lock with its connection, or after `idleSessionMs` if its host vanished. A
// leader that wakes up late may send a batch to the sinks again; consumers drop repeats by id.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { CompleteSettings } from "../config.ts";
import { openPool, type Pool } from "../db/pool.ts";
import { startDelivery } from "./delivery.ts";
import { openKafkaSink } from "./kafka-sink.ts";
import { assignSequence, tryAcquireLeadership } from "./queries.ts";
import { openRedisSink } from "./redis-sink.ts";

const batchSize = 500;
/** Interval of the leader's polls; half of it is added to an event's latency on average. */
const pollMs = 25;
/** The interval after a batch above `busySize`: larger batches cost less for each event. */
const busyPollMs = 50;
const busySize = 5;
const idlePollMs = 100;
const idleAfterMs = 10_000;
/** Interval at which the other processes try to lead. */
const standbyMs = 1_000;
const idleSessionMs = 10_000;

export type PublisherSettings = Pick<CompleteSettings, "databaseUrl" | "redisUrl" | "kafkaBrokers">;

export const sinkNames = ({ redisUrl, kafkaBrokers }: Omit<PublisherSettings, "databaseUrl">) => [
  ...(redisUrl ? ["redis"] : []),
  ...(kafkaBrokers.length > 0 ? ["kafka"] : []),
];

/** Publishes until it is stopped, or waits to take over from the leader. */
export function startOutboxPublisher(sql: Pool, settings: PublisherSettings, log: Logger) {
  // A plan made before the first event would read the whole table later.
  const own = openPool(settings.databaseUrl, {
    name: "relay",
    max: 1,
    idleSessionMs,
    planCacheMode: "force_custom_plan",
  });
  const stopping = new AbortController();
  let isLeader = false;

  const { redisUrl, kafkaBrokers } = settings;
  const deliveries = [
    ...(redisUrl ? [openRedisSink(redisUrl)] : []),
    ...(kafkaBrokers.length > 0 ? [openKafkaSink(kafkaBrokers)] : []),
  ].map((sink) => startDelivery(sql, sink, () => isLeader, log));

  /** Assigns a batch if events wait. Returns its size; undefined while another process leads. */
  async function publishBatch(): Promise<number | undefined> {
    const { leads, waiting } = await tryAcquireLeadership(own);
    if (!leads) return undefined;
    if (!waiting) return 0;
    return own.begin(async (tx) => {
      if (!(await tryAcquireLeadership(tx)).leads) return undefined;
      return assignSequence(tx, batchSize);
    });
  }

  async function run() {
    let lastAssigned = performance.now();
    while (!stopping.signal.aborted) {
      const assigned = await publishBatch().catch((error) => {
        log.warn({ err: error }, "Assigning seq failed; retrying");
        return undefined;
      });
      if (isLeader !== (assigned !== undefined)) {
        isLeader = !isLeader;
        log.info(
          isLeader ? "This process publishes the events" : "This process no longer publishes the events",
        );
      }
      if (assigned) {
        lastAssigned = performance.now();
        for (const delivery of deliveries) delivery.wake();
      }
      if (assigned === batchSize) continue;
      await sleep(pauseMs(assigned, performance.now() - lastAssigned), undefined, {
        signal: stopping.signal,
      }).catch(() => {});
    }
  }

  function pauseMs(assigned: number | undefined, quietMs: number) {
    if (assigned === undefined) return standbyMs;
    if (assigned > busySize) return busyPollMs;
    return quietMs > idleAfterMs ? idlePollMs : pollMs;
  }

  const running = run();
  return {
    /** Waits for the batches in flight. */
    stop: async () => {
      stopping.abort();
      await running;
      await Promise.all(deliveries.map((delivery) => delivery.stop()));
      await own.end({ timeout: 1 });
    },
  };
}
