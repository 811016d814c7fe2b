import { ApiError } from "../http/errors.ts";

/** Failures in a row, all within the window, that open the breaker. */
const failuresToOpen = 10;
const windowMs = 30_000;
/** How long it stays open before one call may try again. */
const retryAfterMs = 10_000;

export type BreakerState = "closed" | "open" | "half-open";

/** A place for one call; tell it exactly once how the provider did. */
export interface Pass {
  /** The provider answered, be it a yes or a no. */
  answered: () => void;
  /** The provider failed: no answer, no connection, a 5xx. */
  failed: () => void;
  /** The provider was not called after all. */
  unused: () => void;
}

/**
 * While the provider is known to be down, nobody waits for it: after ten failures in a row `enter` throws
 * `payment_provider_unavailable` at once, and every ten seconds lets one call try.
 */
export function createBreaker(now: () => number = () => performance.now()) {
  let failures: number[] = [];
  let openedAt: number | undefined;
  let trying = false;

  const state = (): BreakerState =>
    openedAt === undefined ? "closed" : now() - openedAt >= retryAfterMs ? "half-open" : "open";

  const close = () => {
    failures = [];
    openedAt = undefined;
  };

  function fail() {
    failures = [...failures, now()].slice(-failuresToOpen);
    const inARow = failures.length === failuresToOpen && now() - failures[0]! <= windowMs;
    if (inARow || openedAt !== undefined) openedAt = now();
  }

  function enter(): Pass {
    const probe = openedAt !== undefined;
    if (probe && (state() === "open" || trying)) {
      const left = Math.max(1, Math.ceil((openedAt! + retryAfterMs - now()) / 1000));
      throw new ApiError("payment_provider_unavailable", "Payments are down for the moment", {
        retryAfter: left,
      });
    }
    if (probe) trying = true;
    const epoch = openedAt;
    const leave = (outcome: () => void) => () => {
      if (probe) trying = false;
      // What was asked before the breaker opened says nothing of how the provider does since.
      if (openedAt === epoch) outcome();
    };
    return { answered: leave(close), failed: leave(fail), unused: leave(() => {}) };
  }

  return { enter, state };
}

export type Breaker = ReturnType<typeof createBreaker>;
