// The menu as bytes, made once per change. The database says when it has changed: it notifies every instance at the
// commit, whoever made the change. With Redis one instance reads it and the others take its copy; without, each reads.
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import type { Redis } from "ioredis";
import { Counter } from "prom-client";
import { openPool, type Pool } from "../db/pool.ts";
import { buildVariants, type Variants } from "../http/cached-response.ts";
import { findMenu, findMenuVersion } from "./queries.ts";

/** How long the menu is believed after its changes were last known to be heard of. */
const unheardMs = 5_000;
/** How often the listening connection is asked whether it still listens: well within `unheardMs`. */
const beatMs = 1_000;
/** How long an instance waits for another one that is reading the menu: many times what that takes. */
const otherReaderMs = 1_000;
/** A copy in Redis that nobody asks for goes by itself. */
const copyMs = 3_600_000;

const menuViews = new Counter({ name: "menu_views_total", help: "Requests for the menu" });
export const menuReloads = new Counter({
  name: "menu_reloads_total",
  help: "Reads of the menu from PostgreSQL",
});

export interface Menu {
  /** The menu as it is by now, if that is known without asking anybody. */
  kept: () => Variants | undefined;
  /** The menu as it is by now; reads it if the one that is kept may be old. */
  current: () => Promise<Variants>;
  /** Says that the menu has changed, sooner than the database's word comes: who changed it sees it at once. */
  forget: () => void;
  close: () => Promise<void>;
}

interface Reading {
  text: string;
  /** When something that is sold out comes back, by performance.now(). */
  goodUntil: number;
}

interface Kept extends Variants {
  goodUntil: number;
  readAt: number;
  /** How often the menu had changed when the reading began. */
  change: number;
}

/** Listens on a connection of its own until it is closed. */
export function openMenu(
  { databaseUrl, currency }: { databaseUrl: string; currency: string },
  sql: Pool,
  log: FastifyBaseLogger,
  redis?: Redis,
): Menu {
  let kept: Kept | undefined;
  let reading: Promise<Kept> | undefined;
  let change = 0;
  let heardAt = -Infinity;

  function forget() {
    change++;
    kept = undefined;
  }

  function stillGood() {
    const now = performance.now();
    if (kept && now < kept.goodUntil && now < Math.max(kept.readAt, heardAt) + unheardMs) return kept;
  }

  async function current() {
    menuViews.inc();
    const asked = change;
    for (;;) {
      const good = stillGood();
      if (good) return good;
      reading ??= read().finally(() => {
        reading = undefined;
      });
      const menu = await reading;
      // A reading that was under way already may be older than a change that came before this request.
      if (menu.change >= asked) return menu;
    }
  }

  async function read(): Promise<Kept> {
    const readAt = performance.now();
    const before = change;
    const shared = redis?.status === "ready" ? await readShared(redis) : undefined;
    const { text, goodUntil } = shared ?? (await readDatabase());
    const menu = { ...(await buildVariants(text)), goodUntil, readAt, change: before };
    // What changed meanwhile may not be in it: good for those who wait, and for nobody after them.
    if (change === before) kept = menu;
    return menu;
  }

  async function readDatabase(): Promise<Reading & { version: string }> {
    menuReloads.inc();
    const began = performance.now();
    const { version, good_for_ms, ...menu } = await findMenu(sql);
    return {
      version,
      text: JSON.stringify({ currency, ...menu }),
      goodUntil: good_for_ms === null ? Infinity : began + good_for_ms,
    };
  }

  /** The copy in Redis of the version that is current, made if it is missing; undefined if Redis fails. */
  async function readShared(redis: Redis): Promise<Reading | undefined> {
    const keyOf = (version: string) => `ristretto:menu:${currency}:${version}`;
    const key = keyOf(await findMenuVersion(sql));
    const turn = `${key}:reader`;
    let myTurn = false;
    try {
      const patience = performance.now() + otherReaderMs;
      for (;;) {
        const asked = performance.now();
        const [text, lifeMs] = await Promise.all([redis.get(key), redis.pttl(key)]);
        if (text !== null && lifeMs > 0) {
          if (myTurn) await redis.del(turn);
          return { text, goodUntil: asked + lifeMs };
        }
        // One instance reads; should it die, the others go on without it.
        if (myTurn || asked > patience) break;
        // And looks once more: the copy may have come between the look and the turn.
        myTurn = (await redis.set(turn, 1, "PX", otherReaderMs, "NX")) === "OK";
        if (!myTurn) await sleep(20);
      }
    } catch {
      return undefined;
    }
    const read = await readDatabase();
    const lifeMs = Math.floor(Math.min(copyMs, read.goodUntil - performance.now()));
    if (lifeMs > 0) await redis.set(keyOf(read.version), read.text, "PX", lifeMs).catch(() => {});
    if (myTurn) await redis.del(turn).catch(() => {});
    return read;
  }

  const listener = openPool(databaseUrl, { name: "menu", max: 1, onnotify: forget });
  const closed = new AbortController();
  async function listen() {
    let session: number | null = null;
    while (!closed.signal.aborted) {
      const asked = performance.now();
      try {
        // Said again and again: it is the question, too, whether the connection is there, and begins anew on another.
        const { state } = await listener`listen menu_changed`;
        // What happened between two connections was heard by none.
        if (state.pid !== session) forget();
        session = state.pid;
        heardAt = asked;
      } catch (error) {
        if (session !== null && !closed.signal.aborted)
          log.warn({ err: error }, "the menu's listener is away");
        session = null;
      }
      await sleep(beatMs, undefined, { signal: closed.signal }).catch(() => {});
    }
  }
  const listening = listen();

  return {
    kept: () => {
      const good = stillGood();
      if (good) menuViews.inc();
      return good;
    },
    current,
    forget,
    close: async () => {
      closed.abort();
      await listener.end({ timeout: 1 });
      await listening;
    },
  };
}

/** Whoever writes by the routes of `app` sees it in the menu at once. */
export const forgetAfterWrites = (app: FastifyInstance, menu: Menu) =>
  app.addHook("onSend", async ({ method }, { statusCode }) => {
    if (method !== "GET" && statusCode < 400) menu.forget();
  });
