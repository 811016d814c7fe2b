// Load shedding: while the event loop stalls, requests are rejected at once instead of answered too late.
import underPressure from "@fastify/under-pressure";
import type { FastifyInstance } from "fastify";
import { ApiError } from "./errors.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    bypassLoadShedding?: true;
  }
}

export const bypassLoadShedding = { bypassLoadShedding: true } as const;

const maxEventLoopDelayMs = 1_000;
const sampleMs = 1_000;
/** A delay within one sample, such as the compiling at the start, is no stall. */
const minStallMs = 1.5 * sampleMs;

const stalls = new WeakMap<object, () => boolean>();

export const isStalled = (server: object) => stalls.get(server)?.() ?? false;

export async function registerLoadShedding(app: FastifyInstance) {
  await app.register(underPressure, {
    maxEventLoopDelay: maxEventLoopDelayMs,
    sampleInterval: sampleMs,
    pressureHandler: async ({ routeOptions }) => {
      if (isStalled(app.server) && !routeOptions.config.bypassLoadShedding)
        throw new ApiError("unavailable", "Please try again in a moment", { retryAfter: 2 });
    },
  });
  let since = 0;
  let last = Number.NEGATIVE_INFINITY;
  stalls.set(app.server, () => {
    if (!app.isUnderPressure()) return false;
    const now = performance.now();
    if (now - last > 3 * sampleMs) since = now;
    last = now;
    return now - since > minStallMs;
  });
}
