import { ApiError } from "../http/errors.ts";

const failuresToOpen = 10;
const windowMs = 30_000;
const openMs = 10_000;

export type CircuitBreakerState = "closed" | "open" | "half-open";

/** A permit for one call. The caller calls exactly one of its functions. */
export interface CircuitBreakerPermit {
  /** The provider responded; a decline is a success too. */
  success: () => void;
  /** The provider failed: no connection, no response, a 5xx. */
  failure: () => void;
  /** The provider was not called. */
  release: () => void;
}

/**
 * Opens after ten failures in a row within 30 seconds, then permits one call every ten seconds until one succeeds.
 * Not cockatiel: it has no window, queues calls behind the trial call, and counts late results of older calls.
 */
export function createCircuitBreaker(now: () => number = () => performance.now()) {
  let failures: number[] = [];
  let openedAt: number | undefined;
  let trialRunning = false;

  const state = (): CircuitBreakerState =>
    openedAt === undefined ? "closed" : now() - openedAt >= openMs ? "half-open" : "open";

  function close() {
    failures = [];
    openedAt = undefined;
  }

  function fail() {
    failures = [...failures, now()].slice(-failuresToOpen);
    const inWindow = failures.length === failuresToOpen && now() - failures[0]! <= windowMs;
    if (inWindow || openedAt !== undefined) openedAt = now();
  }

  /** Returns a permit. Throws `payment_provider_unavailable` while the breaker is open or its trial call runs. */
  function acquire(): CircuitBreakerPermit {
    const trial = openedAt !== undefined;
    if (trial && (state() === "open" || trialRunning))
      throw new ApiError("payment_provider_unavailable", "The payment provider is unavailable", {
        retryAfter: Math.max(1, Math.ceil((openedAt! + openMs - now()) / 1000)),
      });
    if (trial) trialRunning = true;
    const epoch = openedAt;
    const end = (record: () => void) => () => {
      if (trial) trialRunning = false;
      // Results of calls that began before the last change of state say nothing about the provider now.
      if (openedAt === epoch) record();
    };
    return { success: end(close), failure: end(fail), release: end(() => {}) };
  }

  return { acquire, state };
}

export type CircuitBreaker = ReturnType<typeof createCircuitBreaker>;
