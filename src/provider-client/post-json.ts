import { STATUS_CODES } from "node:http";
import { type Dispatcher, Pool } from "undici";
import { redactBody, redactHeaders } from "./redact.ts";

/** A provider's response without its secrets, as it is logged and stored. */
export interface ProviderResponse {
  status: number;
  headers: Record<string, string>;
  body: unknown;
}

/** `notSent`: no connection was made, so the provider got nothing. `unknown`: it may have got the request. */
export type HttpOutcome =
  | { result: "response"; response: ProviderResponse }
  | { result: "notSent"; refused: boolean; error: string }
  | { result: "unknown"; error: string };

export type StoredResponse = ProviderResponse | { error: string };

export const toStoredResponse = (outcome: HttpOutcome): StoredResponse =>
  outcome.result === "response" ? outcome.response : { error: outcome.error };

// More than any real response. The rest is not read, and the rest of a 2xx may say `success: false`.
const maxBodyBytes = 1024 * 1024;

const neverConnected =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

export interface Endpoint {
  pool: Pool;
  path: string;
}

/** Opens an endpoint. It has no timeouts of its own; each call has its budget. */
export function openEndpoint(url: string, options?: Pool.Options): Endpoint {
  const { origin, pathname, search } = new URL(url);
  const pool = new Pool(origin, { headersTimeout: 0, bodyTimeout: 0, ...options });
  return { pool, path: pathname + search };
}

/** Posts `body` once, without retries, and aborts after `budgetMs`. Never throws. */
export function postJson(
  { pool, path }: Endpoint,
  body: unknown,
  headers: Record<string, string>,
  budgetMs: number,
): Promise<HttpOutcome> {
  const deadline = performance.now() + budgetMs;
  return new Promise((resolve) => {
    let request: Dispatcher.DispatchController | undefined;
    let ended = false;
    const end = (outcome: HttpOutcome) => {
      ended = true;
      clearTimeout(timer);
      resolve(outcome);
    };
    // Not AbortSignal.timeout: it keeps all that it reaches in memory until its time is over.
    const timer = setTimeout(
      () => {
        end({ result: "unknown", error: "no response within the budget" });
        request?.abort(new Error("the budget is over"));
      },
      Math.max(1, budgetMs),
    );

    let head: Pick<ProviderResponse, "status" | "headers">;
    const chunks: Buffer[] = [];
    let size = 0;
    const endWithResponse = () => {
      // TextDecoder drops a byte order mark.
      const text = new TextDecoder().decode(Buffer.concat(chunks));
      end({ result: "response", response: { ...head, body: redactBody(text) } });
    };
    pool.dispatch(
      {
        path,
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json", ...headers },
        body: JSON.stringify(body),
      },
      {
        // Runs when a connection is free, before anything is sent.
        onRequestStart(controller) {
          request = controller;
          if (ended || performance.now() >= deadline) controller.abort(new Error("the budget is over"));
        },
        onResponseStart(_controller, status, responseHeaders) {
          head = { status, headers: redactHeaders(responseHeaders) };
        },
        onResponseData(controller, chunk) {
          chunks.push(chunk);
          size += chunk.length;
          if (size <= maxBodyBytes || ended) return;
          if (isOk(head.status)) end({ result: "unknown", error: "the response was too long" });
          else endWithResponse();
          controller.abort(new Error("the rest is not read"));
        },
        onResponseEnd: endWithResponse,
        onResponseError(_controller, { code, message }: Error & { code?: string }) {
          if (ended) return;
          const error = code ?? message;
          end(
            neverConnected.test(code ?? "")
              ? { result: "notSent", refused: code === "ECONNREFUSED", error }
              : { result: "unknown", error },
          );
        },
      },
    );
  });
}

const isOk = (status: number) => status >= 200 && status < 300;

/** Returns whether a response is a 2xx whose JSON does not say `success: false`. */
export const isSuccess = ({ status, body }: ProviderResponse) =>
  isOk(status) && (body as { success?: unknown } | null)?.success !== false;

/** Returns the provider's message as a customer may read it, or the name of the status. */
export function publicMessage({ status, body }: ProviderResponse): string {
  const given = (body as { message?: unknown } | null)?.message;
  const message = typeof given === "string" ? given : (STATUS_CODES[status] ?? "");
  // Hides numbers that may be those of a card or an account.
  return message.replace(/\d[\d -]{7,}\d/g, "…").slice(0, 200);
}
