import type { Db } from "../db/pool.ts";
import { ApiError, type FieldError, invalidField } from "../http/errors.ts";
import type { Fulfillment, OrderLineInput } from "../orders/schemas.ts";
import type { RequestKey } from "./idempotency.ts";
import type { OrderInput } from "./schemas.ts";

const maxDaysAhead = 14;
const maxMetadataBytes = 2048;

export interface OrderRequest extends RequestKey {
  customerId: string;
  order: Omit<OrderInput, "items">;
  lines: OrderLineInput[] | OrderLineSource;
  requestId: string;
}

export interface OrderLineSource {
  /** Reserves the lines for this transaction and returns them; none if another placement has reserved them. */
  reserve: (tx: Db) => Promise<OrderLineInput[]>;
  /** Removes exactly the reserved lines, in the order's transaction. */
  removePurchased: (tx: Db) => Promise<void>;
}

/** Checks the rules that the schema can't express. Throws `validation_failed`. */
export function validateOrderRequest({ fulfillment, metadata }: OrderRequest["order"]) {
  const errors: FieldError[] = [];
  if (fulfillment?.type === "delivery" && !fulfillment.address)
    errors.push({ path: "/fulfillment/address", message: "Expected an address for a delivery" });
  if (metadata && Buffer.byteLength(JSON.stringify(metadata)) > maxMetadataBytes)
    errors.push({ path: "/metadata", message: `Expected at most ${maxMetadataBytes} bytes of JSON` });
  if (errors.length > 0)
    throw new ApiError("validation_failed", errors.map((error) => error.message).join("; "), { errors });
}

/** Throws `validation_failed` unless the time is in the next 14 days. Replays skip it: the clock changes. */
export function normalizeFulfillment(given: Fulfillment = { type: "pickup" }): Fulfillment {
  if (given.scheduled_at === undefined) return given;
  const time = Date.parse(given.scheduled_at);
  const ahead = time - Date.now();
  if (ahead <= 0 || ahead > maxDaysAhead * 24 * 60 * 60 * 1000)
    throw invalidField("/fulfillment/scheduled_at", `must be in the next ${maxDaysAhead} days`);
  return { ...given, scheduled_at: new Date(time).toISOString() };
}
