// Delivery to one sink: in order, each event at least once, at the sink's own pace.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Pool } from "../db/pool.ts";
import {
  findSeq,
  findSinkState,
  insertDeadLetter,
  listEventsAfter,
  moveSink,
  type SinkState,
} from "./queries.ts";
import type { Event } from "./schemas.ts";
import { createWakeSignal } from "./wake-signal.ts";

export interface Sink {
  name: string;
  /**
   * `cursor` is the end that the last call returned. An empty list only compares it. Throws PermanentSinkError for an
   * event that the sink will never accept. Any other error is temporary, and some events may have arrived.
   */
  publish: (events: Event[], cursor: string | null) => Promise<PublishResult>;
  close: () => Promise<void>;
}

export interface PublishResult {
  cursor: string | null;
  /** Set when the sink's end differs from the given cursor; then nothing was appended. */
  cursorMismatch?: "emptied" | { lastEventId: string | undefined };
}

export class PermanentSinkError extends Error {}

/** Events in one call: a few hundred KB, which is below a broker's limit. */
const batchSize = 200;
/** Events that are sent again to a sink that was emptied: the length at which it is trimmed. */
const refillCount = 100_000;
/** Interval between looks without a wake-up, which find a sink that lost events. */
const pollMs = 1_000;
/** Pauses while the sink is down; each doubles the last. */
const pausesMs = { first: 250, longest: 5_000 };
/** Rejections of one event after which the delivery goes on without it. */
const maxRejections = 3;

export function startDelivery(sql: Pool, sink: Sink, isLeader: () => boolean, log: Logger) {
  const wakeSignal = createWakeSignal();
  const stopping = new AbortController();
  let failures = 0;
  let rejections = 0;
  /** Events up to this seq go one by one: the sink rejected one of them and did not say which. */
  let singlyUpTo = 0;

  /** Returns whether more events may wait. */
  async function deliver(): Promise<boolean> {
    const state = await findSinkState(sql, sink.name);
    const limit = state.position < singlyUpTo ? 1 : batchSize;
    const events = await listEventsAfter(sql, state.position, limit);
    // `stop` may have closed the sink during the query.
    if (stopping.signal.aborted) return false;
    const last = events.at(-1)?.seq ?? state.position;
    try {
      const { cursor, cursorMismatch } = await sink.publish(events, state.cursor);
      if (cursorMismatch) {
        await reposition(state, cursorMismatch, cursor);
        return true;
      }
      if (events.length > 0 || cursor !== state.cursor)
        await moveSink(sql, sink.name, state, { position: last, cursor });
      rejections = 0;
    } catch (error) {
      if (!(error instanceof PermanentSinkError)) throw error;
      const [event, ...others] = events;
      if (others.length > 0) singlyUpTo = last;
      else if (++rejections < maxRejections) throw error;
      else if (event) {
        rejections = 0;
        log.error(
          { err: error, sink: sink.name, event },
          "Sink rejected an event for good; delivery continues",
        );
        await insertDeadLetter(sql, sink.name, event, error.message);
        await moveSink(sql, sink.name, state, { position: last, cursor: state.cursor });
      }
      return true;
    }
    return events.length === limit;
  }

  /** Continues after the last event that the sink has: it was emptied or restored, or a crash hid a delivery. */
  async function reposition(
    state: SinkState,
    mismatch: NonNullable<PublishResult["cursorMismatch"]>,
    cursor: string | null,
  ) {
    const { name } = sink;
    let position = state.position;
    if (mismatch === "emptied") position = Math.max(0, position - refillCount);
    // The last entry may be foreign, which tells nothing.
    else if (mismatch.lastEventId) position = (await findSeq(sql, mismatch.lastEventId)) ?? position;
    if (position < state.position)
      log.warn({ sink: name, from: state.position, to: position }, "Sink lost events; sending them again");
    await moveSink(sql, name, state, { position, cursor });
  }

  async function run() {
    while (!stopping.signal.aborted) {
      try {
        const leading = isLeader();
        const more = leading && (await deliver());
        if (leading && failures > 0) log.info({ sink: sink.name }, "Sink recovered");
        failures = 0;
        if (!more) await wakeSignal.wait(pollMs);
      } catch (error) {
        if (stopping.signal.aborted) return;
        if (failures === 0) log.warn({ err: error, sink: sink.name }, "Sink is down; its events wait");
        const pause = Math.min(pausesMs.first * 2 ** failures++, pausesMs.longest);
        await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {});
      }
    }
  }

  const running = run();
  return {
    wake: wakeSignal.notify,
    /** Waits for the call in flight, at most 2 seconds. */
    stop: async () => {
      stopping.abort();
      wakeSignal.notify();
      await Promise.race([running, sleep(2_000)]);
      await sink.close();
      await running;
    },
  };
}
