/**
 * Returns how long a connection may be idle, in milliseconds. It is longer than a proxy keeps an idle connection, so
 * that the proxy closes it, and longer than a checkout takes.
 */
export const idleTimeoutMs = (paymentTimeoutMs: number) => Math.max(72_000, paymentTimeoutMs + 30_000);

/** Returns Fastify's options against slow clients. `idleMs` bounds idle connections and stalled responses alike. */
export const connectionTimeouts = (idleMs: number) => ({
  keepAliveTimeout: idleMs,
  connectionTimeout: idleMs,
  // For a whole request, an image of 5 MiB included.
  requestTimeout: 60_000,
  http: { headersTimeout: 10_000, connectionsCheckingInterval: 1_000 },
});
