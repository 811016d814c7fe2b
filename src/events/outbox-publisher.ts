// The relay: gives each committed event its seq, and has the sinks send it on.
//
// Why followers of seq miss nothing and see nothing out of order, whenever transactions commit:
//
//  - An event gets its seq when it is committed already, by a statement that sees it. A transaction that takes a minute
//    is invisible until its commit and is stamped after it, with a seq larger than all that followers may have read:
//    none can have passed it by. One that is rolled back is never seen and never stamped.
//  - seq counts a row up in the transaction of the stamping. Both commit or neither: no gap, no repeat. The stampings
//    come one after the other, and each becomes visible as a whole: whoever reads n reads everything up to n.
//  - The changes of one subject come in their order. Each is made under the lock of the subject's row, so of two the
//    second is written when the first has committed: whoever sees it sees the first too, and the first has the smaller
//    written_no. So either both are in one batch, which is ordered by written_no, or the first is in an earlier one.
//
// One stamps at a time: whoever holds an advisory lock of its session. Each stamping asks for it in its own transaction,
// on the one connection of its pool, so nobody can stamp without it: a connection that was lost takes its lock with it,
// and its transactions fail. The statement that stamps comes after the one that asks, and so sees all that the one who
// had the lock before has committed.
//
// It looks for events; they don't call it. A NOTIFY in the transaction of a change would: but PostgreSQL lets those commit
// one after the other, each with its own write to the disk, and placing orders would be as slow as that (measured: 1,000
// commits a second instead of 6,800). Followers are told by one NOTIFY for each batch, from here.
//
// When the leader dies, its connection closes and the lock is free at once. When its host vanishes, or its process
// stands still, PostgreSQL ends the session after `idleSessionMs` in which the leader, who asks all the time, has not.
// Another leads within a second after either. One that wakes up late may still send the sinks the batch that it held in
// its hands: events that they have already, which their ids tell.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { CompleteSettings } from "../config.ts";
import { last, openPool, type Pool } from "../db/pool.ts";
import { startDelivery } from "./delivery.ts";
import { openKafkaSink } from "./kafka-sink.ts";
import { stampEvents, tryLead } from "./queries.ts";
import { openRedisSink } from "./redis-sink.ts";

/** Events that one transaction stamps: some milliseconds of work, with more in no less time for each. */
const batchSize = 500;
/** How often the leader looks: one statement that touches an index of what waits. Twice the latency that it adds. */
const roundMs = 25;
/** The same after a round with more than so many: a round costs as much as some twenty events, and more share it. */
const rushRoundMs = 50;
const rushSize = 5;
/** The same while nothing has happened for a while: a shop at night should cost next to nothing. */
const idleRoundMs = 100;
const idleAfterMs = 10_000;
/** How often the others try to take over. */
const standbyMs = 1_000;
/** Very many rounds, few seconds. */
const idleSessionMs = 10_000;

export type RelaySettings = Pick<CompleteSettings, "databaseUrl" | "redisUrl" | "kafkaBrokers">;

/** The sinks that are configured, by name. */
export const sinkNames = ({ redisUrl, kafkaBrokers }: Omit<RelaySettings, "databaseUrl">) => [
  ...(redisUrl ? ["redis"] : []),
  ...(kafkaBrokers.length > 0 ? ["kafka"] : []),
];

/** Relays until it is stopped, or waits to take over from the one who does. */
export function startRelay(sql: Pool, settings: RelaySettings, log: Logger) {
  // Planned anew: what was planned before the first event would read all of them, thousands a morning, at each look.
  const relay = openPool(settings.databaseUrl, { name: "relay", max: 1, idleSessionMs, plan: "anew" });
  const stopping = new AbortController();
  let leads = false;

  const { redisUrl, kafkaBrokers } = settings;
  const deliveries = [
    ...(redisUrl ? [openRedisSink(redisUrl)] : []),
    ...(kafkaBrokers.length > 0 ? [openKafkaSink(kafkaBrokers)] : []),
  ].map((sink) => startDelivery(sql, sink, () => leads, log));

  /** Stamps a batch if events wait; gives how many, or undefined while another leads. */
  async function stamp(): Promise<number | undefined> {
    const { leads, waiting } = await tryLead(relay);
    if (!leads) return undefined;
    if (!waiting) return 0;
    return relay.begin(async (tx) => {
      if (!(await tryLead(tx)).leads) return undefined;
      last(tx);
      return stampEvents(tx, batchSize);
    });
  }

  async function work() {
    let lastStamped = performance.now();
    while (!stopping.signal.aborted) {
      const stamped = await stamp().catch((error) => {
        log.warn({ err: error }, "stamping events failed; the next round tries again");
        return undefined;
      });
      if (leads !== (stamped !== undefined)) {
        leads = !leads;
        log.info(leads ? "this instance relays the events" : "this instance no longer relays the events");
      }
      if (stamped) {
        lastStamped = performance.now();
        for (const delivery of deliveries) delivery.wake();
      }
      if (stamped === batchSize) continue;
      await sleep(pauseMs(stamped, performance.now() - lastStamped), undefined, {
        signal: stopping.signal,
      }).catch(() => {});
    }
  }

  /** After a round that stamped so many, or undefined if another leads. */
  function pauseMs(stamped: number | undefined, quietMs: number) {
    if (stamped === undefined) return standbyMs;
    if (stamped > rushSize) return rushRoundMs;
    return quietMs > idleAfterMs ? idleRoundMs : roundMs;
  }

  const working = work();
  return {
    /** Ends after the batches that are under way. */
    stop: async () => {
      stopping.abort();
      await working;
      await Promise.all(deliveries.map((delivery) => delivery.stop()));
      await relay.end({ timeout: 1 });
    },
  };
}
