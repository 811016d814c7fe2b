import { setTimeout as sleep } from "node:timers/promises";
import {
  type Delivery,
  isSuccess,
  openEndpoint,
  type ProviderAnswer,
  postJson,
  publicMessage,
} from "../provider-client/post-json.ts";

/** What became of a charge; `response` goes into the ledger, `provider` to the customer. */
export type Charge =
  | { outcome: "succeeded"; response: ProviderAnswer }
  | {
      /** failed: certainly not charged. unknown: nobody can tell yet. */
      outcome: "failed" | "unknown";
      /** Whether the provider itself said no, which is no sign of trouble with it. */
      declined: boolean;
      response: ProviderAnswer | { error: string };
      provider: { status: number | null; message: string };
    };

export interface PaymentClient {
  /**
   * Charges `cents` under `paymentId`, the same on every try, so that a provider that honours keys charges once. The
   * budget runs from `started` (performance.now()), before the ledger's row: a process that stood still must not ask for
   * a charge that has been settled meanwhile.
   */
  charge: (paymentId: string, cents: number, started?: number) => Promise<Charge>;
  close: () => Promise<void>;
}

/** Tries of one charge, all inside one budget. */
const maxAttempts = 3;
/** Before the second and third try; a provider that restarts is often back by then. */
const pausesMs = [100, 400];

export function openPaymentClient(url: string, budgetMs: number): PaymentClient {
  const endpoint = openEndpoint(url, {
    // A host that swallows packets must fail while the budget still tells it from a charge without answer.
    connect: { timeout: Math.min(3_000, budgetMs / 2) },
  });

  return {
    async charge(paymentId, cents, started = performance.now()) {
      const left = () => started + budgetMs - performance.now();
      if (left() <= 0) return judge({ result: "unreachable", refused: false, error: "the budget was over" });
      for (let attempt = 1; ; attempt++) {
        const delivery = await postJson(endpoint, { value: cents }, { "idempotency-key": paymentId }, left());
        const pause = pausesMs[attempt - 1];
        if (!mayRetry(delivery) || attempt === maxAttempts || pause === undefined) return judge(delivery);
        if (left() <= pause) return judge(delivery);
        await sleep(pause);
        if (left() <= 0) return judge(delivery);
      }
    },
    close: () => endpoint.pool.close(),
  };
}

/** Only what certainly did not charge is tried again: an explicit 5xx, a refused connection. Never a lost answer. */
function mayRetry(delivery: Delivery): boolean {
  if (delivery.result === "answered") return delivery.answer.status >= 500;
  return delivery.result === "unreachable" && delivery.refused;
}

function judge(delivery: Delivery): Charge {
  if (delivery.result === "answered") {
    const response = delivery.answer;
    if (isSuccess(response)) return { outcome: "succeeded", response };
    const provider = { status: response.status, message: publicMessage(response) };
    return { outcome: "failed", declined: response.status < 500, response, provider };
  }
  const unreachable = delivery.result === "unreachable";
  return {
    outcome: unreachable ? "failed" : "unknown",
    declined: false,
    response: { error: delivery.error },
    provider: {
      status: null,
      message: unreachable
        ? "The payment provider could not be reached"
        : "The payment provider did not answer",
    },
  };
}
