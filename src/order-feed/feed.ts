// LISTEN only wakes the dispatcher. The events come from the table, in one read for all streams.
// A stream collects events before its snapshot is read, so it misses none.
// The snapshot's transaction also lists the events that it contains without a seq. The stream skips those.
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyBaseLogger } from "fastify";
import { Gauge } from "prom-client";
import type { Db, Pool } from "../db/pool.ts";
import {
  findLastSeq,
  isOrderEvent,
  listEventsAfter,
  listOrderEventsAfter,
  listUnsequenced,
} from "../events/queries.ts";
import type { Event } from "../events/schemas.ts";
import { createWakeSignal } from "../events/wake-signal.ts";
import { nextStatus, type Status } from "../orders/status.ts";

const openStreams = new Gauge({
  name: "sse_streams",
  help: "Open streams, by kind: the board or one order",
  labelNames: ["kind"],
});

/** Heartbeats show proxies and clients that a quiet stream is alive. */
const heartbeatMs = 15_000;
const tickMs = 1_000;
/** Interval of reads without a notice, in case one was lost. */
const pollMs = 5_000;
const pageSize = 200;
/** Characters that may wait in a stream. Above this, a slow client is served from the table. */
const maxQueuedLength = 256 * 1024;
/** A client that reads nothing for this long is disconnected; it may return with its Last-Event-ID. */
const stallMs = 5_000;
/** Time for a client to read the last frames before its connection is cut. */
const closeGraceMs = 2_000;
const retryMs = 2_000;

export interface SubscribeOptions {
  /** One order's stream; undefined: the board. */
  orderId: string | undefined;
  /** When the token expires, in milliseconds since 1970. */
  expiresAt: number;
  /** Returns whether the user still has access; asked every `heartbeatMs`. Without it access lasts until expiry. */
  mayContinue?: () => Promise<boolean>;
  lastEventId: string | undefined;
  snapshot: (tx: Db) => Promise<unknown>;
  response: ServerResponse;
}

interface Frame {
  text: string;
  event?: Event;
}

interface Stream {
  enqueue: (frame: Frame) => void;
  tick: (now: number) => void;
  end: () => void;
}

export type OrderFeed = ReturnType<typeof createOrderFeed>;

export function createOrderFeed(sql: Pool, log: FastifyBaseLogger) {
  const board = new Set<Stream>();
  const byOrder = new Map<string, Set<Stream>>();
  const all = new Set<Stream>();
  const wakeSignal = createWakeSignal();
  /** The seq up to which all events were dispatched; undefined without a stream. */
  let position: number | undefined;
  let started = false;
  let closed = false;
  let ticking: NodeJS.Timeout | undefined;

  function start() {
    if (started || closed) return;
    started = true;
    // The driver reconnects by itself and calls back, and each call reads what was missed.
    sql.listen("events_stamped", wakeSignal.notify, wakeSignal.notify).catch(() => {});
    ticking = setInterval(tick, tickMs);
    void dispatchAll();
  }

  async function dispatchAll() {
    while (!closed) {
      await wakeSignal.wait(pollMs);
      if (all.size === 0) position = undefined;
      try {
        for (let more = true; more && position !== undefined; ) {
          const events = await listEventsAfter(sql, position, pageSize);
          for (const event of events) {
            dispatch(event);
            position = event.seq;
          }
          more = events.length === pageSize;
        }
      } catch (error) {
        if (!closed) log.warn({ err: error }, "Reading events failed; retrying");
      }
    }
  }

  function countStreams() {
    openStreams.set({ kind: "board" }, board.size);
    openStreams.set({ kind: "order" }, all.size - board.size);
  }
  countStreams();

  function dispatch(event: Event) {
    if (!belongsToOrder(event)) return;
    const frame = toFrame(event);
    for (const stream of board) stream.enqueue(frame);
    for (const stream of byOrder.get(event.subject_id) ?? []) stream.enqueue(frame);
  }

  function tick() {
    const now = Date.now();
    for (const stream of all) stream.tick(now);
  }

  /** Returns the function that removes the stream. */
  function addStream(stream: Stream, orderId: string | undefined) {
    const subscribers = orderId === undefined ? board : (byOrder.get(orderId) ?? new Set());
    if (orderId !== undefined) byOrder.set(orderId, subscribers);
    subscribers.add(stream);
    all.add(stream);
    countStreams();
    return () => {
      all.delete(stream);
      subscribers.delete(stream);
      countStreams();
      if (orderId !== undefined && subscribers.size === 0 && byOrder.get(orderId) === subscribers)
        byOrder.delete(orderId);
    };
  }

  /** Opens a stream. Throws the database's error if the snapshot can't be read. */
  async function subscribe(options: SubscribeOptions): Promise<Readable> {
    const { orderId, expiresAt, mayContinue, lastEventId, snapshot, response } = options;
    start();
    const queue: Frame[] = [];
    const queueSignal = createWakeSignal();
    let queuedLength = 0;
    /** The queue overflowed: the rest is read from the table. */
    let overflowed = false;
    let lastSentAt = Date.now();
    let lastReadAt = Date.now();
    let lastCheckedAt = Date.now();
    let ended = closed;
    /** The order is finished: no further event comes. */
    let finished = false;
    /** The seq up to which the client has all events. */
    let sentSeq = 0;
    let inSnapshot = new Set<string>();

    const stream: Stream = {
      enqueue(frame) {
        if (overflowed) return;
        queuedLength += frame.text.length;
        queue.push(frame);
        if (queuedLength > maxQueuedLength) {
          overflowed = true;
          queue.length = queuedLength = 0;
        }
        queueSignal.notify();
      },
      tick(now) {
        if (mayContinue && now - lastCheckedAt >= heartbeatMs) {
          lastCheckedAt = now;
          // While the database is down the stream goes on; the token expires in any case.
          mayContinue().then(
            (may) => may || stream.end(),
            () => {},
          );
        }
        if (now >= expiresAt) stream.end();
        else if ((queue.length > 0 || overflowed) && now - lastReadAt >= stallMs) response.destroy();
        else if (now - lastSentAt >= heartbeatMs) stream.enqueue({ text: ": alive\n\n" });
      },
      end() {
        if (ended) return;
        ended = true;
        queueSignal.notify();
        setTimeout(() => response.destroy(), closeGraceMs).unref();
      },
    };
    const removeStream = addStream(stream, orderId);
    const leave = () => {
      removeStream();
      ended = true;
      queueSignal.notify();
    };
    // The readable's own close would wait for the frames in the queue.
    response.once("close", leave);
    if (response.destroyed) leave();

    async function* frames() {
      yield send(first ?? `: welcome back\nretry: ${retryMs}\n\n`);
      if (!first) yield* missedEvents();
      while (!finished) {
        lastReadAt = Date.now();
        const frame = queue.shift();
        if (frame) {
          queuedLength -= frame.text.length;
          if (!frame.event) yield send(frame.text);
          else if (isNew(frame.event)) {
            finished = isFinished(frame.event.data);
            yield send(frame.text);
          }
        } else if (ended) return;
        else if (overflowed) {
          overflowed = false;
          yield* missedEvents();
        } else await queueSignal.wait(heartbeatMs);
      }
    }

    /** Reads events that were not sent. Later events arrive in the queue. */
    async function* missedEvents() {
      for (let more = true; more && !ended; ) {
        lastReadAt = Date.now();
        const events = await listOrderEventsAfter(sql, orderId, sentSeq, pageSize);
        for (const event of events) {
          lastReadAt = Date.now();
          if (!isNew(event)) continue;
          finished ||= isFinished(event.data);
          yield send(toFrame(event).text);
        }
        more = events.length === pageSize;
      }
    }

    function send(text: string) {
      lastSentAt = Date.now();
      return text;
    }

    function isNew({ seq, id }: Event): boolean {
      if (seq <= sentSeq) return false;
      sentSeq = seq;
      return !inSnapshot.delete(id);
    }

    const isFinished = (order: unknown) =>
      orderId !== undefined && nextStatus[(order as { status: Status }).status] === null;

    let first: string | undefined;
    try {
      const from = await findLastSeq(sql);
      // Another stream may have set the position meanwhile; its next events are not skipped.
      position ??= from;
      const [body, lastSeq, unsequenced] = await sql.begin(
        "isolation level repeatable read read only",
        (tx) => Promise.all([snapshot(tx), findLastSeq(tx), listUnsequenced(tx)]),
      );
      const seq = /^\d{1,15}$/.test(lastEventId ?? "") ? Number(lastEventId) : undefined;
      if (seq !== undefined && (await isOrderEvent(sql, orderId, seq))) {
        sentSeq = seq;
        // With an event of the order still without seq, its last event is yet to come.
        finished = isFinished(body) && !unsequenced.some(({ subject_id }) => subject_id === orderId);
      } else {
        sentSeq = lastSeq;
        inSnapshot = new Set(unsequenced.map(({ id }) => id));
        finished = isFinished(body);
        first = `event: snapshot\nretry: ${retryMs}\ndata: ${JSON.stringify(body)}\n\n`;
      }
    } catch (error) {
      leave();
      throw error;
    }
    return Readable.from(frames());
  }

  return {
    subscribe,
    count: () => ({ board: board.size, order: all.size - board.size }),
    /** Ends every stream, so that the server can close its connections. */
    async close() {
      closed = true;
      clearInterval(ticking);
      for (const stream of all) stream.end();
      wakeSignal.notify();
    },
  };
}

/** Returns whether an event is about an order. A charge without an order is refunded under its own id. */
const belongsToOrder = ({ type, subject_id, data }: Event) =>
  type.startsWith("order.") || (type === "payment.refunded" && (data as { id?: string }).id === subject_id);

const toFrame = (event: Event): Required<Frame> => ({
  text: `event: ${event.type}\nid: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`,
  event,
});
