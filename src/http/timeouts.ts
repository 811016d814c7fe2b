/** Milliseconds. Longer than a checkout, and than a proxy keeps an idle connection, so that the proxy closes it. */
export const idleTimeoutMs = (paymentTimeoutMs: number) => Math.max(72_000, paymentTimeoutMs + 30_000);

/** `idleMs` bounds idle connections and stalled responses alike. */
export const connectionTimeouts = (idleMs: number) => ({
  keepAliveTimeout: idleMs,
  connectionTimeout: idleMs,
  // For a whole request, an image of 5 MiB included.
  requestTimeout: 60_000,
  http: { headersTimeout: 10_000, connectionsCheckingInterval: 1_000 },
});
