// What this process takes on: nothing more while it can't keep up, and from nobody who takes for ever.
import type { Socket } from "node:net";
import underPressure from "@fastify/under-pressure";
import type { FastifyInstance } from "fastify";
import { ApiError } from "./errors.ts";

// In a second of full load an answer waits for some 10 ms, on a crowded machine for some 100. At this mean a client has
// most likely gone before it is answered: to refuse at once is quicker for all.
const maxEventLoopDelayMs = 1_000;

const sampleMs = 1_000;
// What is over by then, as the compiling of a start, was no stall: nobody is refused for it.
const lastsMs = 1.5 * sampleMs;

const stalls = new WeakMap<object, () => boolean>();

/** Whether this server's process can't keep up, and hasn't for a while. */
export const isStalled = (server: object) => stalls.get(server)?.() ?? false;

/** Refuses while the event loop stalls, but for routes that have `config: bypassLoadShedding`. */
export async function refuseUnderPressure(app: FastifyInstance) {
  let measure = () => false;
  // Aside, where no routes are: its own hook would look into each request, whatever it has measured.
  await app.register(async (aside) => {
    await aside.register(underPressure, { maxEventLoopDelay: maxEventLoopDelayMs, sampleInterval: sampleMs });
    measure = () => aside.isUnderPressure();
  });
  let since = 0;
  let last = Number.NEGATIVE_INFINITY;
  const stalled = () => {
    if (!measure()) return false;
    const now = performance.now();
    if (now - last > 3 * sampleMs) since = now;
    last = now;
    return now - since > lastsMs;
  };
  stalls.set(app.server, stalled);
  app.addHook("onRequest", (request, _reply, done) => {
    if (stalled() && !request.routeOptions.config.bypassLoadShedding)
      done(new ApiError("unavailable", "Please try again in a moment", { retryAfter: 2 }));
    else done();
  });
}

declare module "fastify" {
  interface FastifyContextConfig {
    bypassLoadShedding?: true;
  }
}

/** Of routes that tell how the process is: they are answered even then. */
export const bypassLoadShedding = { bypassLoadShedding: true } as const;

/** A whole request, a picture of 5 MiB included. Behind nginx, which waits for whole requests, it is never met. */
export const requestTimeout = 60_000;

/** More than a proxy lets a connection rest: it is the proxy that closes it. More than a placement may take, too. */
export const restMs = (paymentTimeoutMs: number) => Math.max(72_000, paymentTimeoutMs + 30_000);

/**
 * Ends connections on which nothing has moved for `afterMs`: no request, an answer that isn't read or isn't made. Node's
 * own timers for that would be set anew by each request, which is a tenth of what it takes to answer from the menu.
 */
export function endResting(app: FastifyInstance, afterMs: number) {
  app.server.keepAliveTimeout = 0;
  const connections = new Map<Socket, { bytes: number; since: number }>();
  app.server.on("connection", (socket: Socket) => {
    connections.set(socket, { bytes: 0, since: performance.now() });
    socket.once("close", () => connections.delete(socket));
  });
  const look = setInterval(() => {
    const now = performance.now();
    for (const [socket, last] of connections) {
      const bytes = socket.bytesRead + socket.bytesWritten;
      if (bytes !== last.bytes) connections.set(socket, { bytes, since: now });
      else if (now - last.since >= afterMs) socket.destroy();
    }
  }, afterMs / 10).unref();
  app.addHook("onClose", async () => clearInterval(look));
}

/** Node's own options against slow headers. */
export const headerPatience = {
  headersTimeout: 10_000,
  // How often Node looks who is late.
  connectionsCheckingInterval: 1_000,
};
