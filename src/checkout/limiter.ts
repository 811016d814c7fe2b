import { ApiError } from "../http/errors.ts";
import { checkoutRejected } from "../observability/metrics.ts";

/** How long a placement may wait for a place. */
const maxWaitMs = 1_000;
/**
 * Between two who have waited: at most several times the work that placing is for this process; and none at all where
 * placing is quick, for then the work itself spreads them, and a timer could not keep up.
 */
const maxGapMs = 5;
const minGapMs = 2;

/**
 * Bounds how many placements run at once, so that a slow payment provider can't pile them up. Past `places`, as many
 * again wait for at most a second; whoever comes on top, and whoever waited in vain, gets `checkout_busy`.
 */
export function createAdmission(places: number) {
  let free = places;
  const waiting: (() => void)[] = [];
  let nextAt = 0;
  let pause: NodeJS.Timeout | undefined;
  /** What the last one took that ended. */
  let tookMs = 0;

  function enter(): Promise<void> {
    if (free > 0 && waiting.length === 0) {
      free--;
      return Promise.resolve();
    }
    // Those for whom a place is free already, and who only begin a moment later, take nobody's turn to wait.
    if (waiting.length >= places + free) {
      checkoutRejected.inc({ reason: "full" });
      return Promise.reject(busy());
    }
    return new Promise((resolve, reject) => {
      const admit = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        const ahead = waiting.indexOf(admit);
        waiting.splice(ahead, 1);
        if (ahead < free) {
          free--;
          return resolve();
        }
        checkoutRejected.inc({ reason: "timeout" });
        reject(busy());
      }, maxWaitMs);
      waiting.push(admit);
    });
  }

  /**
   * Lets in those who have waited longest. Those who begin together end together, for the provider takes as long for
   * each; and all others, who only read, would wait each time for the work of all of them. So they begin apart, by half
   * of what would spread them evenly. A timer that is late holds up nobody but the next: `from` is when he was due.
   */
  function admitWaiting(from: number) {
    if (pause) return;
    const now = performance.now();
    nextAt = Math.max(from, nextAt);
    for (; free > 0 && waiting.length > 0; free--) {
      if (now < nextAt) {
        pause = setTimeout(() => {
          pause = undefined;
          admitWaiting(nextAt);
        }, nextAt - now);
        return;
      }
      const gapMs = Math.min(maxGapMs, tookMs / places / 2);
      nextAt += gapMs < minGapMs ? 0 : gapMs;
      waiting.shift()!();
    }
  }

  return {
    /** How many run now. */
    inFlight: () => places - free,
    /** Runs `placement` when there is a place for it. Throws `checkout_busy`. */
    async run<T>(placement: () => Promise<T>): Promise<T> {
      await enter();
      const began = performance.now();
      try {
        return await placement();
      } finally {
        free++;
        const ended = performance.now();
        tookMs = ended - began;
        admitWaiting(ended);
      }
    },
  };
}

export type Admission = ReturnType<typeof createAdmission>;

const busy = () =>
  new ApiError("checkout_busy", "Too many orders at once; please try again", { retryAfter: 2 });
