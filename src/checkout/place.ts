import type { FastifyBaseLogger } from "fastify";
import { Counter as Count, Gauge } from "prom-client";
import { type KnownProducts, keepProducts } from "../catalog/product-cache.ts";
import type { CompleteSettings } from "../config.ts";
import { newId } from "../db/ids.ts";
import { type Db, last, openPool, type Pool } from "../db/pool.ts";
import { ApiError } from "../http/errors.ts";
import { checkPlacement, scheduled } from "../orders/fulfillment.ts";
import { priceOrder } from "../orders/pricing.ts";
import { findOrder, findPlacementFacts, insertPaidOrder, tryLockKey } from "../orders/queries.ts";
import type { Order, OrderInput, OrderLineInput } from "../orders/schemas.ts";
import { beingSettled, chargeCustomer, type Till } from "../payments/charge.ts";
import { openPaymentClient } from "../payments/client.ts";
import { openLedger } from "../payments/ledger.ts";
import { findEarlierPayment, markPaymentCharged } from "../payments/queries.ts";
import { createBreaker } from "../provider-client/circuit-breaker.ts";
import { findRole } from "../users/queries.ts";
import { lockNumber, type PlacementKey } from "./idempotency.ts";
import { type CheckoutLimiter, createCheckoutLimiter } from "./limiter.ts";

const ordersCreated = new Count({
  name: "orders_created_total",
  help: "Orders placed",
  labelNames: ["fulfillment"],
});
const replays = new Count({
  name: "idempotent_replays_total",
  help: "Placements answered with the order that their key made before",
});
/** Of the checkout created last; a process of the service has one. */
let readBreakerState = () => 0;
new Gauge({
  name: "payment_breaker_state",
  help: "0 closed, 1 half-open, 2 open",
  collect() {
    this.set(readBreakerState());
  },
});

/** The codes of a placement, beside those of its input. */
export const placementRefusals = [
  "invalid_idempotency_key",
  "invalid_item",
  "payment_failed",
  "payment_unconfirmed",
  "sold_out",
  "total_mismatch",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "checkout_busy",
  "payment_provider_unavailable",
] as const;

/**
 * What placing needs beside the request: its own connections and the others', the till, the products, and a bound on
 * how many place at once.
 */
export interface Counter extends Till {
  checkout: Pool;
  /** The connections of everything else. */
  sql: Pool;
  products: KnownProducts;
  limiter: CheckoutLimiter;
}

export interface Placement extends PlacementKey {
  customerId: string;
  order: Omit<OrderInput, "items">;
  items: OrderLineInput[] | LineStore;
  /** Named by what the log says of the charge. */
  requestId: string;
}

/** Where the lines of a placement come from, if not with the request: a cart. */
export interface LineStore {
  /** Takes the store for this placement and gives its lines; none if there are none, or if another placement has it. */
  claim: (tx: Db) => Promise<OrderLineInput[]>;
  /** In the order's transaction: takes out what was claimed, no more and no less. */
  takeOut: (tx: Db) => Promise<void>;
}

/**
 * Places an order, the only way there is: claim the key, price, charge, insert, commit, in one transaction. Gives the
 * order, or the one that the key made before. Throws what the contract's section 3 names; an order exists then only
 * if this returned, and a charge without an order is in the ledger, to be settled.
 *
 * Until the charge has answered, the transaction has only read: it holds a connection and the key's advisory lock,
 * but no row lock and no transaction id, so a slow provider delays no one else's rows and no vacuum.
 */
export async function placeOrder(
  counter: Counter,
  placement: Placement,
): Promise<{ order: Order; replayed: boolean }> {
  const { customerId, order: request, items: source, keyHash, requestHash, requestId } = placement;
  checkPlacement(request);

  const place = () =>
    counter.checkout.begin(async (tx) => {
      // 1. Key, 2. Price: one packet. The statements run in this order and each sees what was committed before it,
      // so whoever gets the lock also sees the order of the one who had it.
      const store = Array.isArray(source) ? undefined : source;
      const [claimed, { role, tried_before, catalog_version }, items] = await Promise.all([
        !keyHash || tryLockKey(tx, lockNumber(customerId, keyHash)),
        findPlacementFacts(tx, placement),
        Array.isArray(source) ? source : source.claim(tx),
      ]);
      if (!role) throw accountGone();

      const earlier = tried_before ? await findEarlierPayment(tx, customerId, keyHash) : undefined;
      const isOther = earlier && earlier.request_hash !== requestHash.toString("hex");
      if (earlier?.order_id) {
        if (isOther) throw keyReused();
        return { order: (await findOrder(tx, earlier.order_id))!, replayed: true };
      }
      if (!claimed) throw twinInFlight();
      if (isOther) throw keyReused();

      const fulfillment = scheduled(request.fulfillment);
      if (items.length === 0) throw new ApiError("cart_empty", "There is nothing in the cart");
      // Read by one statement, here or by an earlier placement that saw this very version.
      const products = await counter.products.find(tx, catalog_version, productIds(items));
      const { lines, total } = priceOrder(items, products, request.total_cents);

      // 3. Charge. A charge that an earlier try left behind is asked for again under its own id; not if its refund
      // has begun, and not if the price is another one now: then it must be settled before the key goes on.
      if (earlier && (earlier.status === "refund_pending" || earlier.amount_cents !== total))
        throw beingSettled();
      const payment = {
        id: earlier?.id ?? newId(),
        customer_id: customerId,
        amount_cents: total,
        key_hash: keyHash,
        request_hash: requestHash,
      };
      const response =
        total === 0 ? null : await chargeCustomer(counter, payment, { again: !!earlier, requestId });

      // 4. Insert and commit, in one packet unless a cart is to be emptied between them.
      if (!store) last(tx);
      const order = await insertPaidOrder(tx, {
        customer_id: customerId,
        total_cents: total,
        lines,
        fulfillment,
        metadata: request.metadata ?? null,
        notes: request.notes ?? null,
        keyHash,
        requestHash,
        payment_id: payment.id,
        provider_response: response,
      });
      if (!order) {
        if (response) await markPaymentCharged(counter.ledger.sql, payment.id);
        throw beingSettled();
      }
      await store?.takeOut(tx);
      return { order, replayed: false };
    });

  const placed = await counter.limiter.run(place).catch((error) => replayBeside(counter, placement, error));
  if (placed.replayed) replays.inc();
  else ordersCreated.inc({ fulfillment: placed.order.fulfillment.type });
  return placed;
}

/**
 * Where there was no place: what the key has made is told as ever, and a twin of its charge in flight is one. Throws
 * `refusal` for all others.
 */
async function replayBeside(
  { sql }: Counter,
  { customerId, keyHash, requestHash }: Placement,
  refusal: unknown,
) {
  if (!keyHash || !(refusal instanceof ApiError && refusal.code === "checkout_busy")) throw refusal;
  const [role, earlier] = await Promise.all([
    findRole(sql, customerId),
    findEarlierPayment(sql, customerId, keyHash),
  ]);
  if (!role) throw accountGone();
  if (!earlier) throw refusal;
  if (earlier.request_hash !== requestHash.toString("hex")) throw keyReused();
  if (earlier.status === "pending") throw twinInFlight();
  if (!earlier.order_id) throw refusal;
  return { order: (await findOrder(sql, earlier.order_id))!, replayed: true };
}

const productIds = (items: OrderLineInput[]) => [
  ...new Set(items.map((item) => item.product_id.toLowerCase())),
];

const accountGone = () => new ApiError("unauthorized", "This account is gone");

const keyReused = () =>
  new ApiError("idempotency_key_reused", "This Idempotency-Key was used for another request");

const twinInFlight = () =>
  new ApiError("idempotency_in_progress", "The same request is being worked on", { retryAfter: 1 });

/** Connections that write the ledger: one commits while the other's batch fills. */
const ledgerWriters = 2;

/** Opens what placing needs: its own connections and the payment provider. Its end waits for placements to finish. */
export function openCounter(
  settings: CompleteSettings,
  sql: Pool,
  log: FastifyBaseLogger,
): Counter & { close: () => Promise<void> } {
  const { databaseUrl, checkoutConcurrency, paymentServiceUrl, paymentTimeoutMs } = settings;
  const checkout = openPool(databaseUrl, {
    name: "checkout",
    max: checkoutConcurrency,
    // The transaction is idle while the provider is called: never cut within its budget, nor while the ledger, whose
    // own statements may take ten seconds before and after, is written.
    idleInTransactionMs: paymentTimeoutMs + 20_000,
    plan: "once",
  });
  const ledger = openPool(databaseUrl, { name: "ledger", max: ledgerWriters, plan: "once" });
  const provider = openPaymentClient(paymentServiceUrl, paymentTimeoutMs);
  const breaker = createBreaker();
  readBreakerState = () => ({ closed: 0, "half-open": 1, open: 2 })[breaker.state()];
  return {
    checkout,
    sql,
    products: keepProducts(),
    ledger: openLedger(ledger, ledgerWriters),
    provider,
    breaker,
    log,
    limiter: createCheckoutLimiter(checkoutConcurrency),
    async close() {
      await Promise.all([checkout.end({ timeout: 5 }), ledger.end({ timeout: 5 }), provider.close()]);
    },
  };
}
