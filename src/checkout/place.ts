import { Counter } from "prom-client";
import { markPaymentCharged } from "../payments/queries.ts";
import type { CheckoutContext } from "./context.ts";
import { type OrderRequest, validateOrderRequest } from "./order-request.ts";
import { replayWhenSaturated } from "./replay.ts";
import { type PlacedOrder, placeInTransaction } from "./transaction.ts";

const ordersCreated = new Counter({
  name: "orders_created_total",
  help: "Orders placed",
  labelNames: ["fulfillment"],
});
const replays = new Counter({
  name: "idempotent_replays_total",
  help: "Placements answered with the order that their key made before",
});

/** Throws the codes of `placeOrderErrorCodes`; then there is no order, and the ledger has each charge to refund. */
export async function placeOrder(context: CheckoutContext, request: OrderRequest): Promise<PlacedOrder> {
  validateOrderRequest(request.order);
  const placed = await context.limiter
    .run(() => place(context, request))
    .catch((error) => replayWhenSaturated(context, request, error));
  if (placed.replayed) replays.inc();
  else ordersCreated.inc({ fulfillment: placed.order.fulfillment.type });
  return placed;
}

async function place(context: CheckoutContext, request: OrderRequest): Promise<PlacedOrder> {
  const { checkoutPool, ledger, log } = context;
  let payment_id: string | undefined;
  const onCharged = (id: string) => {
    payment_id = id;
  };
  try {
    return await checkoutPool.begin((tx) => placeInTransaction(tx, context, request, onCharged));
  } catch (error) {
    // Only after the rollback: the transaction may hold the lock of the payment's row.
    if (payment_id)
      await markPaymentCharged(ledger, payment_id).catch((err) =>
        log.error({ err, payment_id }, "charge without an order not recorded"),
      );
    throw error;
  }
}
