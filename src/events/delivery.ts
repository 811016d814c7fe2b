// How one sink gets the events: in order, each at least once, at its own pace.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Pool } from "../db/pool.ts";
import {
  findSeq,
  findSinkState,
  insertRefusal,
  listEventsAfter,
  moveSink,
  type SinkState,
} from "./queries.ts";
import type { Event } from "./schemas.ts";
import { createBell } from "./wake-signal.ts";

export interface Sink {
  name: string;
  /**
   * Takes events in order, or none to be asked whether it still has what it had. `mark` is what the last call gave:
   * where its own end is. Throws Refused if it will never take one of them; whatever else it throws is trouble that
   * passes, and some of them may have arrived.
   */
  publish: (events: Event[], mark: string | null) => Promise<Published>;
  close: () => Promise<void>;
}

export interface Published {
  mark: string | null;
  /** Its end is not where it was, and it has taken nothing. `tail` is the id of its last event, if that can be told. */
  moved?: "to nothing" | { tail: string | undefined };
}

/** What a sink answers about an event that it will not take however often it is sent. */
export class Refused extends Error {}

/** Events in one call: a few hundred KB, which is below what a broker takes at once. */
const batchSize = 200;
/** A sink that is empty is filled again with as many as it is trimmed at. */
const refill = 100_000;
/** How often it looks without being woken, also at whether the sink has lost something. */
const roundMs = 1_000;
/** Between tries while the sink is down: doubled each time. */
const pausesMs = { first: 250, longest: 5_000 };
/** Refusals of one event after which the others go on without it. */
const maxRefusals = 3;

/** Delivers to one sink, while this instance leads, until it is stopped. A sink that is down delays itself alone. */
export function startDelivery(sql: Pool, sink: Sink, leads: () => boolean, log: Logger) {
  const bell = createBell();
  const stopping = new AbortController();
  let failures = 0;
  let refusals = 0;
  /** Up to this seq events go one by one: one of them was refused, and it isn't known which. */
  let singlyUpTo = 0;

  /** Gives whether there may be more to deliver. */
  async function deliver(): Promise<boolean> {
    const state = await findSinkState(sql, sink.name);
    const limit = state.position < singlyUpTo ? 1 : batchSize;
    const events = await listEventsAfter(sql, state.position, limit);
    // Reading may have taken longer than `stop` waits: the sink is closed then.
    if (stopping.signal.aborted) return false;
    const last = events.at(-1)?.seq ?? state.position;
    try {
      const published = await sink.publish(events, state.mark);
      if (published.moved) {
        await resume(state, published.moved, published.mark);
        return true;
      }
      if (events.length > 0 || published.mark !== state.mark)
        await moveSink(sql, sink.name, state, { position: last, mark: published.mark });
      refusals = 0;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const [event, ...others] = events;
      if (others.length > 0) singlyUpTo = last;
      else if (++refusals < maxRefusals) throw error;
      else if (event) {
        refusals = 0;
        log.error({ err: error, sink: sink.name, event }, "an event was refused for good; the others go on");
        await insertRefusal(sql, sink.name, event, error.message);
        await moveSink(sql, sink.name, state, { position: last, mark: state.mark });
      }
      return true;
    }
    return events.length === limit;
  }

  /** Goes on behind the last event that the sink really has: it was emptied, or restored, or we died in between. */
  async function resume(state: SinkState, moved: NonNullable<Published["moved"]>, mark: string | null) {
    const { name } = sink;
    let position = state.position;
    if (moved === "to nothing") position = Math.max(0, position - refill);
    // The last event may be somebody else's, from which nothing can be told.
    else if (moved.tail) position = (await findSeq(sql, moved.tail)) ?? position;
    if (position < state.position)
      log.warn(
        { sink: name, from: state.position, to: position },
        "a sink has lost events; they are sent again",
      );
    await moveSink(sql, name, state, { position, mark });
  }

  async function work() {
    while (!stopping.signal.aborted) {
      try {
        const leading = leads();
        const more = leading && (await deliver());
        if (leading && failures > 0) log.info({ sink: sink.name }, "a sink is back");
        failures = 0;
        if (!more) await bell.wait(roundMs);
      } catch (error) {
        if (stopping.signal.aborted) return;
        if (failures === 0) log.warn({ err: error, sink: sink.name }, "a sink is down; its events wait");
        const pause = Math.min(pausesMs.first * 2 ** failures++, pausesMs.longest);
        await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {});
      }
    }
  }

  const working = work();
  return {
    wake: bell.ring,
    /** Waits for the call that is under way, and not for a sink that does not answer. */
    stop: async () => {
      stopping.abort();
      bell.ring();
      await Promise.race([working, sleep(2_000)]);
      await sink.close();
      await working;
    },
  };
}
