import type { FastifyBaseLogger } from "fastify";
import { Gauge } from "prom-client";
import { createProductCache, type ProductCache } from "../catalog/product-cache.ts";
import type { CompleteSettings } from "../config.ts";
import { openPool, type Pool } from "../db/pool.ts";
import type { PaymentContext } from "../payments/charge.ts";
import { openPaymentClient } from "../payments/client.ts";
import { createCircuitBreaker } from "../provider-client/circuit-breaker.ts";
import { type CheckoutLimiter, createCheckoutLimiter } from "./limiter.ts";

/** The breaker of the checkout that was created last; an instance has one. */
let readBreakerState = () => 0;
new Gauge({
  name: "payment_breaker_state",
  help: "0 closed, 1 half-open, 2 open",
  collect() {
    this.set(readBreakerState());
  },
});

export interface CheckoutContext extends PaymentContext {
  checkoutPool: Pool;
  sql: Pool;
  products: ProductCache;
  limiter: CheckoutLimiter;
}

/** Each placement writes its ledger row alone; PostgreSQL commits concurrent ones together. */
const ledgerConnections = 4;

/** Opens the connections and the payment client of checkout. `close` waits for placements to finish. */
export function createCheckout(
  settings: CompleteSettings,
  sql: Pool,
  log: FastifyBaseLogger,
): CheckoutContext & { close: () => Promise<void> } {
  const { databaseUrl, checkoutConcurrency, paymentServiceUrl, paymentTimeoutMs } = settings;
  const checkoutPool = openPool(databaseUrl, {
    name: "checkout",
    max: checkoutConcurrency,
    // The transaction is idle during the provider's budget and two ledger statements of up to ten seconds.
    idleInTransactionMs: paymentTimeoutMs + 20_000,
    planCacheMode: "force_generic_plan",
  });
  const ledger = openPool(databaseUrl, {
    name: "ledger",
    max: ledgerConnections,
    planCacheMode: "force_generic_plan",
  });
  const provider = openPaymentClient(paymentServiceUrl, paymentTimeoutMs);
  const breaker = createCircuitBreaker();
  readBreakerState = () => ({ closed: 0, "half-open": 1, open: 2 })[breaker.state()];
  return {
    checkoutPool,
    sql,
    products: createProductCache(),
    ledger,
    provider,
    breaker,
    log,
    limiter: createCheckoutLimiter(checkoutConcurrency),
    async close() {
      await Promise.all([checkoutPool.end({ timeout: 5 }), ledger.end({ timeout: 5 }), provider.close()]);
    },
  };
}
