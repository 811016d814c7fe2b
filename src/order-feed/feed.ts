// Orders as they are seen live: what is stamped goes to every stream of this instance that follows it.
//
// LISTEN only wakes; what is sent is read from the table, once for all streams. Nothing is lost between a snapshot and
// what follows it: a stream collects events from before its snapshot is read, and an event whose change is not in the
// snapshot is stamped, and so dispatched, after that. Which events are in the snapshot is read with it, in one view of
// the database, stamped or not; those are not told again.
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyBaseLogger } from "fastify";
import type { Db, Pool } from "../db/pool.ts";
import {
  findLastSeq,
  isFollowed,
  listEventsAfter,
  listFollowedAfter,
  listUnstamped,
} from "../events/queries.ts";
import type { Event } from "../events/schemas.ts";
import { createBell } from "../events/wake-signal.ts";
import { next, type Status } from "../orders/status.ts";

/** Between comments, by which proxies and clients see that a quiet stream is alive. */
const heartbeatMs = 15_000;
/** How often expiry and heartbeats are looked at. */
const tickMs = 1_000;
/** In case that a notice was lost. One read for the whole instance, and none while nobody follows. */
const roundMs = 5_000;
/** Events that are read at once. */
const pageSize = 200;
/** Characters that wait in a stream for its reader; when they are more he is told from the table, at his pace. */
const maxWaiting = 256 * 1024;
/** A reader who takes nothing for so long though something waits is cut; he may come back with his Last-Event-ID. */
const stallMs = 5_000;
/** For a reader to take the last that was sent; then the connection is cut. */
const farewellMs = 2_000;
/** Told to clients: how long to wait before they come back. */
const retryMs = 2_000;

export interface Follow {
  /** An order's stream; undefined is the board. */
  orderId: string | undefined;
  /** When the follower's token expires, in milliseconds since 1970. */
  expiresAt: number;
  /** Whether the follower still may, asked as often as a quiet stream is shown to be alive; without it he always may. */
  mayFollow?: () => Promise<boolean>;
  /** The header that a client sends who comes back. */
  lastEventId: string | undefined;
  /** Reads what a stream begins with. */
  snapshot: (tx: Db) => Promise<unknown>;
  /** What the stream is written to: it is destroyed to cut a reader, and its end is the stream's. */
  response: ServerResponse;
}

interface Frame {
  text: string;
  event?: Event;
}

interface Stream {
  offer: (frame: Frame) => void;
  /** Looks after it, each second. */
  tick: (now: number) => void;
  end: () => void;
}

export type Live = ReturnType<typeof openLive>;

/** Follows the table as soon as somebody follows it, until it is closed. */
export function openLive(sql: Pool, log: FastifyBaseLogger) {
  const board = new Set<Stream>();
  const byOrder = new Map<string, Set<Stream>>();
  const all = new Set<Stream>();
  const bell = createBell();
  /** The seq up to which all has been dispatched; unknown while nobody follows. */
  let position: number | undefined;
  let started = false;
  let closed = false;
  let ticking: NodeJS.Timeout | undefined;

  function start() {
    if (started || closed) return;
    started = true;
    // The driver goes on trying by itself, and each time that it listens again what was missed is read.
    sql.listen("events_stamped", bell.ring, bell.ring).catch(() => {});
    ticking = setInterval(tick, tickMs);
    void dispatchAll();
  }

  async function dispatchAll() {
    while (!closed) {
      await bell.wait(roundMs);
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
        if (!closed) log.warn({ err: error }, "reading events failed; the next round tries again");
      }
    }
  }

  function dispatch(event: Event) {
    if (!isOfOrder(event)) return;
    const frame = toFrame(event);
    for (const stream of board) stream.offer(frame);
    for (const stream of byOrder.get(event.subject_id) ?? []) stream.offer(frame);
  }

  function tick() {
    const now = Date.now();
    for (const stream of all) stream.tick(now);
  }

  function subscribe(stream: Stream, orderId: string | undefined) {
    const followers = orderId === undefined ? board : (byOrder.get(orderId) ?? new Set());
    if (orderId !== undefined) byOrder.set(orderId, followers);
    followers.add(stream);
    all.add(stream);
    return () => {
      all.delete(stream);
      followers.delete(stream);
      if (orderId !== undefined && followers.size === 0) byOrder.delete(orderId);
    };
  }

  /** Opens a stream; throws what the database does. */
  async function follow(who: Follow): Promise<Readable> {
    const { orderId, expiresAt, mayFollow, lastEventId, snapshot, response } = who;
    start();
    const queue: Frame[] = [];
    const wake = createBell();
    let waiting = 0;
    /** More came than may wait: the rest is in the table. */
    let overflown = false;
    let lastSent = Date.now();
    /** When the reader last asked for more. */
    let lastTaken = Date.now();
    let lastAllowed = Date.now();
    let ended = closed;
    /** Nothing will follow: the order is finished. */
    let finished = false;
    /** The seq up to which it has all. */
    let sent = 0;
    let inSnapshot = new Set<string>();

    const stream: Stream = {
      offer(frame) {
        if (overflown) return;
        waiting += frame.text.length;
        queue.push(frame);
        if (waiting > maxWaiting) {
          overflown = true;
          queue.length = waiting = 0;
        }
        wake.ring();
      },
      tick(now) {
        if (mayFollow && now - lastAllowed >= heartbeatMs) {
          lastAllowed = now;
          // While the database is away nobody knows; the token ends in any case.
          mayFollow().then(
            (may) => may || stream.end(),
            () => {},
          );
        }
        if (now >= expiresAt) stream.end();
        else if ((queue.length > 0 || overflown) && now - lastTaken >= stallMs) response.destroy();
        else if (now - lastSent >= heartbeatMs) stream.offer({ text: ": alive\n\n" });
      },
      end() {
        if (ended) return;
        ended = true;
        wake.ring();
        setTimeout(() => response.destroy(), farewellMs).unref();
      },
    };
    const unsubscribe = subscribe(stream, orderId);
    // Not the stream's own close: that waits for what waits here.
    const leave = () => {
      unsubscribe();
      ended = true;
      wake.ring();
    };
    response.once("close", leave);
    if (response.destroyed) leave();

    async function* frames() {
      yield send(first ?? `: welcome back\nretry: ${retryMs}\n\n`);
      if (!first) yield* missed();
      while (!finished) {
        lastTaken = Date.now();
        const frame = queue.shift();
        if (frame) {
          waiting -= frame.text.length;
          if (!frame.event) yield send(frame.text);
          else if (isNew(frame.event)) {
            finished = ends(frame.event.data);
            yield send(frame.text);
          }
        } else if (ended) return;
        else if (overflown) {
          overflown = false;
          yield* missed();
        } else await wake.wait(heartbeatMs);
      }
    }

    /** What is in the table and wasn't sent. What is stamped after the last look is offered. */
    async function* missed() {
      for (let more = true; more && !ended; ) {
        lastTaken = Date.now();
        const events = await listFollowedAfter(sql, orderId, sent, pageSize);
        for (const event of events) {
          lastTaken = Date.now();
          if (!isNew(event)) continue;
          finished ||= ends(event.data);
          yield send(toFrame(event).text);
        }
        more = events.length === pageSize;
      }
    }

    function send(text: string) {
      lastSent = Date.now();
      return text;
    }

    function isNew({ seq, id }: Event): boolean {
      if (seq <= sent) return false;
      sent = seq;
      return !inSnapshot.delete(id);
    }

    const ends = (order: unknown) =>
      orderId !== undefined && next[(order as { status: Status }).status] === null;

    let first: string | undefined;
    try {
      const from = await findLastSeq(sql);
      // Unless another who opened meanwhile was first: what he has been sent from there on is not skipped for him.
      position ??= from;
      const [body, lastSeq, unstamped] = await sql.begin("isolation level repeatable read read only", (tx) =>
        Promise.all([snapshot(tx), findLastSeq(tx), listUnstamped(tx)]),
      );
      const seq = /^\d{1,15}$/.test(lastEventId ?? "") ? Number(lastEventId) : undefined;
      if (seq !== undefined && (await isFollowed(sql, orderId, seq))) {
        sent = seq;
        // Else its last event is still to come.
        finished = ends(body) && !unstamped.some(({ subject_id }) => subject_id === orderId);
      } else {
        sent = lastSeq;
        inSnapshot = new Set(unstamped.map(({ id }) => id));
        finished = ends(body);
        first = `event: snapshot\nretry: ${retryMs}\ndata: ${JSON.stringify(body)}\n\n`;
      }
    } catch (error) {
      leave();
      throw error;
    }
    return Readable.from(frames());
  }

  return {
    follow,
    /** Streams open on this instance. */
    count: () => ({ board: board.size, order: all.size - board.size }),
    /** Ends every stream, so that the connections can be closed. */
    async close() {
      closed = true;
      clearInterval(ticking);
      for (const stream of all) stream.end();
      bell.ring();
    },
  };
}

/** order.*, and the refund of an order; a charge that never had one is refunded under its own id. */
const isOfOrder = ({ type, subject_id, data }: Event) =>
  type.startsWith("order.") || (type === "payment.refunded" && (data as { id?: string }).id === subject_id);

const toFrame = (event: Event): Required<Frame> => ({
  text: `event: ${event.type}\nid: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`,
  event,
});
