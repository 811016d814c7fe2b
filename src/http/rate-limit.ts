// How often one may: requests of an address, wrong guesses at an account. Counted in the process and, where there is
// one, in Redis, for all instances together.
import { createHash } from "node:crypto";
import rateLimit, { type errorResponseBuilderContext } from "@fastify/rate-limit";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Redis } from "ioredis";
import { ApiError } from "./errors.ts";
import { toEmail } from "./schemas.ts";

/** Registers the limiter, and the limit for each address unless it is 0. */
export async function registerRateLimit(app: FastifyInstance, redis: Redis | undefined) {
  const { rateLimitMax } = app.settings;
  await app.register(rateLimit, {
    global: false,
    max: rateLimitMax,
    timeWindow: "1 minute",
    store: storeIn(redis && teachToCount(redis)),
    errorResponseBuilder: (_request, context: errorResponseBuilderContext) => tooOften(context.ttl),
  });
  // Before every route's guard, and before the answer to an unknown route: all of them count.
  if (rateLimitMax > 0) app.addHook("onRequest", app.rateLimit());
}

/** A 429; takes the milliseconds until it passes. */
const tooOften = (ttlMs: number) => {
  const retryAfter = Math.max(1, Math.ceil(ttlMs / 1_000));
  return new ApiError("rate_limited", `Too often; try again in ${retryAfter} s`, { retryAfter });
};

/** Wrong passwords and codes for one account within the window, wherever they are tried. */
const maxWrongGuesses = 10;
const guessWindowMs = 15 * 60 * 1_000;

/**
 * Judges a guess at a password or a code for the account that the body names, whether there is one or not: `judge`
 * gives undefined for a wrong one. Throws `rate_limited` after ten wrong ones, and then for the right one too.
 */
export type GuessLimiter = <T>(
  request: FastifyRequest,
  judge: () => Promise<T | undefined>,
) => Promise<T | undefined>;

/** Counts for the whole app: registered routes share what this gives. */
export function createGuessLimiter(app: FastifyInstance): GuessLimiter {
  const wrongGuesses = app.createRateLimit({
    max: maxWrongGuesses,
    timeWindow: guessWindowMs,
    keyGenerator: ({ body }) => {
      const { username, email = username } = body as Record<string, string>;
      return createHash("sha256").update(toEmail(email!)).digest("base64url");
    },
  });
  const look = async (request: FastifyRequest, increment = false) => {
    const limit = await wrongGuesses(request, { increment });
    if (limit.isAllowed) throw new Error("nobody is exempt");
    return limit;
  };

  return async (request, judge) => {
    const before = await look(request);
    if (before.remaining === 0) throw tooOften(before.ttl);
    const right = await judge();
    // Who guesses many times at once is judged many times, and counted one by one before any of it is told: what
    // comes after the tenth wrong one learns nothing.
    const after = await look(request, right === undefined);
    if (right === undefined ? after.isExceeded : after.remaining === 0) throw tooOften(after.ttl);
    return right;
  };
}

interface Counted {
  current: number;
  /** Milliseconds until the window ends. */
  ttl: number;
}

/**
 * What @fastify/rate-limit counts in. Each count is kept in the process even while Redis keeps it too, so that nobody
 * starts from nothing when Redis goes away; the higher one counts.
 */
function storeIn(redis: CountingRedis | undefined) {
  return class Store {
    readonly windowMs: number;
    // By the key; windows are equally long, so those that begin first also end first.
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

    /** Looks without counting. */
    read(key: string, done: (error: null, counted: Counted) => void) {
      this.count(key, 0).then((counted) => done(null, counted));
    }

    async count(key: string, by: 0 | 1): Promise<Counted> {
      const here = this.countHere(key, by);
      if (redis?.status !== "ready") return here;
      try {
        const [current, ttl] = await redis.count(
          `ristretto:limit:${this.windowMs}:${key}`,
          by,
          this.windowMs,
        );
        return current >= here.current ? { current, ttl } : here;
      } catch {
        return here;
      }
    }

    countHere(key: string, by: 0 | 1): Counted {
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

/** Teaches a Redis to count within a window, in one step: what is looked at without counting leaves nothing behind. */
function teachToCount(redis: Redis): CountingRedis {
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
