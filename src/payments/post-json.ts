// One way to call a provider: POST JSON, and be exact about what is known afterwards.
import { STATUS_CODES } from "node:http";
import type { Dispatcher } from "undici";
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

// Far more than any answer to a charge; what comes after it is not read.
const maxBodyBytes = 64 * 1024;

const neverConnected =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/** Posts `body` once, with no retry of its own; `signal` is the end of the caller's budget. Never throws. */
export async function postJson(
  dispatcher: Dispatcher,
  url: string,
  body: unknown,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Delivery> {
  const { origin, pathname, search } = new URL(url);
  try {
    const response = await dispatcher.request({
      origin,
      path: pathname + search,
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", ...headers },
      body: JSON.stringify(body),
      signal,
    });
    const text = await readText(response.body);
    return {
      result: "answered",
      answer: {
        status: response.statusCode,
        headers: redactHeaders(response.headers),
        body: redactBody(text),
      },
    };
  } catch (cause) {
    const { code, message } = cause as { code?: string; message?: string };
    const error = signal.aborted ? "no answer within the budget" : (code ?? message ?? "unknown error");
    return !signal.aborted && neverConnected.test(code ?? "")
      ? { result: "unreachable", refused: code === "ECONNREFUSED", error }
      : { result: "unanswered", error };
  }
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBodyBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxBodyBytes).toString();
}

/** A 2xx whose JSON does not say `success: false`. */
export const isSuccess = ({ status, body }: ProviderAnswer) =>
  status >= 200 && status < 300 && (body as { success?: unknown } | null)?.success !== false;

/** The provider's own message, if it has one that a customer may read, else the status in words. */
export function publicMessage({ status, body }: ProviderAnswer): string {
  const said = (body as { message?: unknown } | null)?.message;
  const message = typeof said === "string" ? said : (STATUS_CODES[status] ?? "");
  // Whatever looks like a card or an account is nobody's to read.
  return message.replace(/\d[\d -]{7,}\d/g, "…").slice(0, 200);
}
