// One way to call a provider: POST JSON, and be exact about what is known afterwards.
import { STATUS_CODES } from "node:http";
import { type Dispatcher, Pool } from "undici";
import { redactBody, redactHeaders } from "./redact.ts";

/** What a provider answered, secrets redacted, as it is logged and stored. */
export interface ProviderAnswer {
  status: number;
  headers: Record<string, string>;
  body: unknown;
}

/**
 * `answered`: the whole answer came. `unreachable`: no connection came about, so nothing was sent. `unanswered`: it
 * was sent, or may have been, and what became of it is not known.
 */
export type Delivery =
  | { result: "answered"; answer: ProviderAnswer }
  | { result: "unreachable"; refused: boolean; error: string }
  | { result: "unanswered"; error: string };

// Far more than any answer to a charge. What comes after it is not read; a 2xx may say no there.
const maxBodyBytes = 1024 * 1024;

const neverConnected =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/** Where a provider is asked: its connections, and the path there. */
export interface Endpoint {
  pool: Pool;
  path: string;
}

/** The budget of a call ends it, and nothing else does. */
export function openEndpoint(url: string, options?: Pool.Options): Endpoint {
  const { origin, pathname, search } = new URL(url);
  const pool = new Pool(origin, { headersTimeout: 0, bodyTimeout: 0, ...options });
  return { pool, path: pathname + search };
}

/** Posts `body` once, with no retry of its own; what isn't over after `budgetMs` is given up. Never throws. */
export function postJson(
  { pool, path }: Endpoint,
  body: unknown,
  headers: Record<string, string>,
  budgetMs: number,
): Promise<Delivery> {
  const deadline = performance.now() + budgetMs;
  return new Promise((resolve) => {
    let request: Dispatcher.DispatchController | undefined;
    let ended = false;
    const end = (delivery: Delivery) => {
      ended = true;
      clearTimeout(timer);
      resolve(delivery);
    };
    // An AbortSignal.timeout would live, with all that it reaches, until its time is over, however soon the answer came.
    const timer = setTimeout(
      () => {
        end({ result: "unanswered", error: "no answer within the budget" });
        request?.abort(new Error("the budget was over"));
      },
      Math.max(1, budgetMs),
    );

    let answer: Pick<ProviderAnswer, "status" | "headers">;
    const chunks: Buffer[] = [];
    let size = 0;
    const endAnswered = () => {
      // Without the byte order mark that some begin with.
      const text = new TextDecoder().decode(Buffer.concat(chunks));
      end({ result: "answered", answer: { ...answer, body: redactBody(text) } });
    };
    pool.dispatch(
      {
        path,
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json", ...headers },
        body: JSON.stringify(body),
      },
      {
        // It waited for a connection until now, and nothing of it has been sent.
        onRequestStart(controller) {
          request = controller;
          if (ended || performance.now() >= deadline) controller.abort(new Error("the budget was over"));
        },
        onResponseStart(_controller, status, responseHeaders) {
          answer = { status, headers: redactHeaders(responseHeaders) };
        },
        onResponseData(controller, chunk) {
          chunks.push(chunk);
          size += chunk.length;
          if (size <= maxBodyBytes || ended) return;
          if (isOk(answer.status)) end({ result: "unanswered", error: "the answer was too long to be read" });
          else endAnswered();
          controller.abort(new Error("the rest is not read"));
        },
        onResponseEnd: endAnswered,
        onResponseError(_controller, { code, message }: Error & { code?: string }) {
          if (ended) return;
          const error = code ?? message;
          end(
            neverConnected.test(code ?? "")
              ? { result: "unreachable", refused: code === "ECONNREFUSED", error }
              : { result: "unanswered", error },
          );
        },
      },
    );
  });
}

const isOk = (status: number) => status >= 200 && status < 300;

/** A 2xx whose JSON does not say `success: false`. */
export const isSuccess = ({ status, body }: ProviderAnswer) =>
  isOk(status) && (body as { success?: unknown } | null)?.success !== false;

/** The provider's own message, if it has one that a customer may read, else the status in words. */
export function publicMessage({ status, body }: ProviderAnswer): string {
  const said = (body as { message?: unknown } | null)?.message;
  const message = typeof said === "string" ? said : (STATUS_CODES[status] ?? "");
  // Whatever looks like a card or an account is nobody's to read.
  return message.replace(/\d[\d -]{7,}\d/g, "…").slice(0, 200);
}
