// The menu as prepared response bodies, read once for each change. PostgreSQL notifies every instance at the commit.
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import type { Redis } from "ioredis";
import { Counter } from "prom-client";
import { openPool, type Pool } from "../db/pool.ts";
import { buildVariants, type Variants } from "../http/cached-response.ts";
import { type MenuSnapshot, readThroughRedis } from "./menu-copy.ts";
import { findMenu } from "./queries.ts";

const heartbeatMs = 1_000;
// Age at which the menu is read again if no heartbeat succeeded since.
const staleAfterMs = 5_000;

const menuViews = new Counter({ name: "menu_views_total", help: "Requests for the menu" });
export const menuReloads = new Counter({
  name: "menu_reloads_total",
  help: "Reads of the menu from PostgreSQL",
});

export interface MenuCache {
  /** Returns the current menu. Reads it if the cached one may be stale. */
  get: () => Promise<Variants>;
  /** Makes the next `get` read the menu. Does not wait for the notification. */
  invalidate: () => void;
  close: () => Promise<void>;
}

interface CachedMenu {
  variants: Variants;
  expiresAt: number;
  readAt: number;
  generation: number;
}

/** Listens for changes on a connection of its own until it is closed. */
export function openMenuCache(
  { databaseUrl, currency }: { databaseUrl: string; currency: string },
  sql: Pool,
  log: FastifyBaseLogger,
  redis?: Redis,
): MenuCache {
  let cached: CachedMenu | undefined;
  let pendingRead: Promise<CachedMenu> | undefined;
  let generation = 0;
  let lastHeartbeat = -Infinity;

  function invalidate() {
    generation++;
    cached = undefined;
  }

  function isFresh({ expiresAt, readAt }: CachedMenu) {
    const now = performance.now();
    return now < expiresAt && now < Math.max(readAt, lastHeartbeat) + staleAfterMs;
  }

  async function get() {
    menuViews.inc();
    const atRequest = generation;
    for (;;) {
      if (cached && isFresh(cached)) return cached.variants;
      pendingRead ??= read().finally(() => {
        pendingRead = undefined;
      });
      const menu = await pendingRead;
      // A pending read may be older than a change that came before this request.
      if (menu.generation >= atRequest) return menu.variants;
    }
  }

  async function read(): Promise<CachedMenu> {
    const readAt = performance.now();
    const atStart = generation;
    const copy = redis?.status === "ready" && (await readThroughRedis(redis, sql, currency, readDatabase));
    const { text, expiresAt } = copy || (await readDatabase());
    const menu = { variants: await buildVariants(text), expiresAt, readAt, generation: atStart };
    // A change during the read may be missing in it: then only the requests that wait get this menu.
    if (generation === atStart) cached = menu;
    return menu;
  }

  async function readDatabase(): Promise<MenuSnapshot & { version: string }> {
    menuReloads.inc();
    const startedAt = performance.now();
    const { version, expires_in_ms, ...menu } = await findMenu(sql);
    const expiresAt = expires_in_ms === null ? Infinity : startedAt + expires_in_ms;
    return { version, text: JSON.stringify({ currency, ...menu }), expiresAt };
  }

  const listener = openPool(databaseUrl, { name: "menu", max: 1, onnotify: invalidate });
  const closed = new AbortController();
  async function listen() {
    let session: number | null = null;
    while (!closed.signal.aborted) {
      const startedAt = performance.now();
      try {
        // Repeating LISTEN checks the connection, and subscribes again on a new one.
        const { state } = await listener`listen menu_changed`;
        // Notifications between two sessions are lost.
        if (state.pid !== session) invalidate();
        session = state.pid;
        lastHeartbeat = startedAt;
      } catch (error) {
        if (session !== null && !closed.signal.aborted)
          log.warn({ err: error }, "menu listener disconnected");
        session = null;
      }
      await sleep(heartbeatMs, undefined, { signal: closed.signal }).catch(() => {});
    }
  }
  const listening = listen();

  return {
    get,
    invalidate,
    close: async () => {
      closed.abort();
      await listener.end({ timeout: 1 });
      await listening;
    },
  };
}

export const invalidateAfterWrites = (app: FastifyInstance, menu: MenuCache) =>
  app.addHook("onSend", async ({ method }, { statusCode }) => {
    if (method !== "GET" && statusCode < 400) menu.invalidate();
  });
