// What this process takes on: nothing more while it can't keep up, and from nobody who takes for ever.
import underPressure from "@fastify/under-pressure";
import type { FastifyInstance } from "fastify";
import { ApiError } from "../errors.ts";

// In a second of full load an answer waits for some 10 ms, on a crowded machine for some 100. At this mean a client has
// most likely gone before it is answered: to refuse at once is quicker for all.
const maxEventLoopDelayMs = 1_000;

class Overloaded extends ApiError {
  constructor() {
    super("unavailable", "Please try again in a moment", { retryAfter: 2 });
  }
}

/** Refuses while the event loop stalls, but for routes that have `config: aboutThisProcess`. */
export async function refuseUnderPressure(app: FastifyInstance) {
  await app.register(underPressure, {
    maxEventLoopDelay: maxEventLoopDelayMs,
    sampleInterval: 1_000,
    customError: Overloaded,
  });
}

/** Of routes that tell how the process is: they are answered even then. */
export const aboutThisProcess = { pressureHandler: () => {} };

/**
 * Fastify's options against slow clients; takes the longest that a placement waits for its payment, in milliseconds.
 * Behind nginx, which waits for whole requests, they are never met.
 */
export const patience = (paymentTimeoutMs: number) => ({
  // A connection on which nothing moves, its answer not read or not yet made.
  connectionTimeout: paymentTimeoutMs + 30_000,
  // A whole request, a picture of 5 MiB included.
  requestTimeout: 60_000,
  // More than a proxy lets a connection rest: it is the proxy that closes it.
  keepAliveTimeout: 72_000,
});

/** Node's own, for the same. */
export const headerPatience = {
  headersTimeout: 10_000,
  // How often Node looks who is late.
  connectionsCheckingInterval: 1_000,
};
