import { setTimeout as sleep } from "node:timers/promises";
import {
  type HttpOutcome,
  isSuccess,
  openEndpoint,
  type ProviderResponse,
  postJson,
  publicMessage,
  type StoredResponse,
  toStoredResponse,
} from "../provider-client/post-json.ts";

export type Charge =
  | { outcome: "succeeded"; response: ProviderResponse }
  | {
      /** failed: certainly not charged. unknown: the provider may have charged. */
      outcome: "failed" | "unknown";
      /** Whether the provider declined, which is no failure of the provider. */
      declined: boolean;
      response: StoredResponse;
      provider: { status: number | null; message: string };
    };

export interface PaymentClient {
  /**
   * Charges `cents`. All attempts share `paymentId`, so that a provider that honours keys charges once. The budget
   * begins at `started` (performance.now()), before the ledger row: a paused process must not charge a settled payment.
   */
  charge: (paymentId: string, cents: number, started?: number) => Promise<Charge>;
  close: () => Promise<void>;
}

const maxAttempts = 3;
/** Before the second and the third attempt. */
const pausesMs = [100, 400];

/** Opens a client of the payment provider. All attempts of a charge share `budgetMs`. */
export function openPaymentClient(url: string, budgetMs: number): PaymentClient {
  const endpoint = openEndpoint(url, {
    // Less than the budget: a failed connection proves that nothing was charged, the end of the budget does not.
    connect: { timeout: Math.min(3_000, budgetMs / 2) },
  });

  return {
    async charge(paymentId, cents, started = performance.now()) {
      const left = () => started + budgetMs - performance.now();
      if (left() <= 0) return classify({ result: "notSent", refused: false, error: "the budget is over" });
      for (let attempt = 1; ; attempt++) {
        const outcome = await postJson(endpoint, { value: cents }, { "idempotency-key": paymentId }, left());
        const pause = pausesMs[attempt - 1];
        if (!mayRetry(outcome) || attempt === maxAttempts || pause === undefined) return classify(outcome);
        if (left() <= pause) return classify(outcome);
        await sleep(pause);
        if (left() <= 0) return classify(outcome);
      }
    },
    close: () => endpoint.pool.close(),
  };
}

/** Retries a 5xx and a refused connection, never a lost response. */
function mayRetry(outcome: HttpOutcome): boolean {
  if (outcome.result === "response") return outcome.response.status >= 500;
  return outcome.result === "notSent" && outcome.refused;
}

function classify(outcome: HttpOutcome): Charge {
  if (outcome.result === "response") {
    const { response } = outcome;
    if (isSuccess(response)) return { outcome: "succeeded", response };
    const provider = { status: response.status, message: publicMessage(response) };
    return { outcome: "failed", declined: response.status < 500, response, provider };
  }
  const notSent = outcome.result === "notSent";
  return {
    outcome: notSent ? "failed" : "unknown",
    declined: false,
    response: toStoredResponse(outcome),
    provider: {
      status: null,
      message: notSent ? "The payment provider could not be reached" : "The payment provider did not respond",
    },
  };
}
