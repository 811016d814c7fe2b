import { ApiError, type FieldError, invalidField } from "../http/errors.ts";
import type { Fulfillment } from "./schemas.ts";

const maxDaysAhead = 14;
const maxMetadataBytes = 2048;

/** What the schema can't say about a placement. Throws `validation_failed`. */
export function checkPlacement(placement: { fulfillment?: Fulfillment; metadata?: object }) {
  const errors: FieldError[] = [];
  const { fulfillment, metadata } = placement;
  if (fulfillment?.type === "delivery" && !fulfillment.address)
    errors.push({ path: "/fulfillment/address", message: "Expected an address, for a delivery" });
  if (metadata && Buffer.byteLength(JSON.stringify(metadata)) > maxMetadataBytes)
    errors.push({ path: "/metadata", message: `Expected at most ${maxMetadataBytes} bytes of JSON` });
  if (errors.length > 0)
    throw new ApiError("validation_failed", errors.map((error) => error.message).join("; "), { errors });
}

/**
 * The fulfillment as the order has it: pickup unless it says otherwise, its time in UTC. Throws `validation_failed` unless
 * that is now or in the next 14 days. Apart from the rest, because it depends on the clock: a replay of a finished
 * placement is never judged by it.
 */
export function scheduled(given: Fulfillment = { type: "pickup" }): Fulfillment {
  if (given.scheduled_at === undefined) return given;
  const time = Date.parse(given.scheduled_at);
  const ahead = time - Date.now();
  if (ahead <= 0 || ahead > maxDaysAhead * 24 * 60 * 60 * 1000)
    throw invalidField("/fulfillment/scheduled_at", `must be in the next ${maxDaysAhead} days`);
  return { ...given, scheduled_at: new Date(time).toISOString() };
}
