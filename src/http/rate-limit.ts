// Counts in the process and, if REDIS_URL is set, in Redis for all instances.
import { createHash } from "node:crypto";
import rateLimit, { type errorResponseBuilderContext } from "@fastify/rate-limit";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Redis } from "ioredis";
import { ApiError } from "./errors.ts";
import { toEmail } from "./schemas.ts";

export async function registerRateLimit(app: FastifyInstance, redis: Redis | undefined) {
  const { rateLimitMax } = app.settings;
  await app.register(rateLimit, {
    global: false,
    max: rateLimitMax,
    timeWindow: "1 minute",
    store: createStore(redis && defineCount(redis)),
    errorResponseBuilder: (_request, context: errorResponseBuilderContext) => rateLimited(context.ttl),
  });
  // Before each route's guard and before the 404 of an unknown route: all requests count.
  if (rateLimitMax > 0) app.addHook("onRequest", app.rateLimit());
}

const rateLimited = (ttlMs: number) => {
  const retryAfter = Math.max(1, Math.ceil(ttlMs / 1_000));
  return new ApiError("rate_limited", `Too many requests; try again in ${retryAfter} s`, { retryAfter });
};

/** Wrong guesses at one account, existing or not, within the window and from all addresses. */
const maxWrongGuesses = 10;
const guessWindowMs = 15 * 60 * 1_000;

/** `verify` returns undefined for a wrong guess. Throws `rate_limited` after ten of them, then for right ones too. */
export type GuessLimiter = <T>(
  request: FastifyRequest,
  verify: () => Promise<T | undefined>,
) => Promise<T | undefined>;

export function createGuessLimiter(app: FastifyInstance): GuessLimiter {
  const wrongGuesses = app.createRateLimit({
    max: maxWrongGuesses,
    timeWindow: guessWindowMs,
    keyGenerator: ({ body }) => {
      const { username, email = username } = body as Record<string, string>;
      return createHash("sha256").update(toEmail(email!)).digest("base64url");
    },
  });
  const count = async (request: FastifyRequest, increment = false) => {
    const limit = await wrongGuesses(request, { increment });
    if (limit.isAllowed) throw new Error("the limiter has no allow list");
    return limit;
  };

  return async (request, verify) => {
    const before = await count(request);
    if (before.remaining === 0) throw rateLimited(before.ttl);
    const verified = await verify();
    // Concurrent guesses are all counted before any result is returned.
    const after = await count(request, verified === undefined);
    if (verified === undefined ? after.isExceeded : after.remaining === 0) throw rateLimited(after.ttl);
    return verified;
  };
}

interface Counted {
  current: number;
  /** Milliseconds until the window ends. */
  ttl: number;
}

/** Counts in the process too while Redis is up, and uses the higher count: a failing Redis resets no limit. */
function createStore(redis: CountingRedis | undefined) {
  return class Store {
    readonly windowMs: number;
    // Windows have one length, so they end in the order of insertion.
    readonly windows = new Map<string, { count: number; endsAt: number }>();

    constructor({ timeWindow }: { timeWindow?: unknown }) {
      this.windowMs = timeWindow as number;
    }

    child(options: object) {
      return new Store(options);
    }

    incr(key: string, done: (error: null, counted: Counted) => void) {
      this.count(key, 1).then((counted) => done(null, counted));
    }

    read(key: string, done: (error: null, counted: Counted) => void) {
      this.count(key, 0).then((counted) => done(null, counted));
    }

    async count(key: string, by: 0 | 1): Promise<Counted> {
      const local = this.countLocally(key, by);
      if (redis?.status !== "ready") return local;
      try {
        const [current, ttl] = await redis.count(
          `ristretto:limit:${this.windowMs}:${key}`,
          by,
          this.windowMs,
        );
        return current >= local.current ? { current, ttl } : local;
      } catch {
        return local;
      }
    }

    countLocally(key: string, by: 0 | 1): Counted {
      const now = performance.now();
      for (const [ended, { endsAt }] of this.windows) {
        if (endsAt > now) break;
        this.windows.delete(ended);
      }
      const window = this.windows.get(key) ?? { count: 0, endsAt: now + this.windowMs };
      window.count += by;
      if (window.count > 0) this.windows.set(key, window);
      return { current: window.count, ttl: window.endsAt - now };
    }
  };
}

type CountingRedis = Redis & { count(key: string, by: 0 | 1, windowMs: number): Promise<[number, number]> };

/** Counts atomically. Reading creates no key. */
function defineCount(redis: Redis): CountingRedis {
  redis.defineCommand("count", {
    numberOfKeys: 1,
    lua: `
      if ARGV[1] == '0' and redis.call('exists', KEYS[1]) == 0 then return { 0, tonumber(ARGV[2]) } end
      local count = redis.call('incrby', KEYS[1], ARGV[1])
      if redis.call('pttl', KEYS[1]) < 0 then redis.call('pexpire', KEYS[1], ARGV[2]) end
      return { count, redis.call('pttl', KEYS[1]) }`,
  });
  return redis as CountingRedis;
}
