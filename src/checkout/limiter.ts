import { Counter, Gauge } from "prom-client";
import { ApiError } from "../http/errors.ts";

const inFlight = new Gauge({ name: "checkout_in_flight", help: "Placements that hold a slot now" });
const rejected = new Counter({
  name: "checkout_rejected_total",
  help: "Placements rejected because all slots were taken",
  labelNames: ["reason"],
});
// Present from the start, so that a rate over the first rejection is right.
for (const reason of ["full", "timeout"]) rejected.inc({ reason }, 0);

const maxWaitMs = 1_000;

/** Runs `slots` placements at once. As many again wait for up to a second, in the order of arrival. */
export function createCheckoutLimiter(slots: number) {
  let free = slots;
  const waiting: (() => void)[] = [];

  async function acquire() {
    if (free > 0) return void free--;
    if (waiting.length >= slots) throw busy("full");
    await new Promise<void>((resolve, reject) => {
      const admit = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(admit), 1);
        reject(busy("timeout"));
      }, maxWaitMs);
      waiting.push(admit);
    });
  }

  function release() {
    const admit = waiting.shift();
    // The slot passes directly to the first in the queue, so that a new placement can't overtake it.
    if (admit) admit();
    else free++;
  }

  return {
    /** Runs `placement` in a slot. Throws `checkout_busy` if the queue is full or the wait is too long. */
    async run<T>(placement: () => Promise<T>): Promise<T> {
      await acquire();
      inFlight.inc();
      try {
        return await placement();
      } finally {
        inFlight.dec();
        release();
      }
    },
  };
}

export type CheckoutLimiter = ReturnType<typeof createCheckoutLimiter>;

function busy(reason: "full" | "timeout") {
  rejected.inc({ reason });
  return new ApiError("checkout_busy", "Too many orders at once; please try again", { retryAfter: 2 });
}
