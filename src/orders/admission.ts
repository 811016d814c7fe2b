import { ApiError } from "../errors.ts";
import { checkoutRejected } from "../ops/metrics.ts";

/** How long a placement may wait for a place. */
const maxWaitMs = 1_000;

/**
 * Bounds how many placements run at once, so that a slow payment provider can't pile them up. Past `places`, as many
 * again wait for at most a second; whoever comes on top, and whoever waited in vain, gets `checkout_busy`.
 */
export function createAdmission(places: number) {
  let free = places;
  const waiting: (() => void)[] = [];

  function enter(): Promise<void> {
    if (free > 0) {
      free--;
      return Promise.resolve();
    }
    if (waiting.length >= places) {
      checkoutRejected.inc({ reason: "full" });
      return Promise.reject(busy());
    }
    return new Promise((resolve, reject) => {
      const admit = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(admit), 1);
        checkoutRejected.inc({ reason: "timeout" });
        reject(busy());
      }, maxWaitMs);
      waiting.push(admit);
    });
  }

  /** A place that is left goes straight to the one who has waited longest. */
  function leave() {
    const admit = waiting.shift();
    if (admit) admit();
    else free++;
  }

  return {
    /** How many run now. */
    inFlight: () => places - free,
    /** Runs `placement` when there is a place for it. Throws `checkout_busy`. */
    async run<T>(placement: () => Promise<T>): Promise<T> {
      await enter();
      try {
        return await placement();
      } finally {
        leave();
      }
    },
  };
}

export type Admission = ReturnType<typeof createAdmission>;

const busy = () =>
  new ApiError("checkout_busy", "Too many orders at once; please try again", { retryAfter: 2 });
