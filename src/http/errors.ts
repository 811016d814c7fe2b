import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

export const codes = {
  validation_failed: 400,
  invalid_cursor: 400,
  invalid_idempotency_key: 400,
  invalid_item: 400,
  invalid_transition: 400,
  invalid_code: 400,
  unauthorized: 401,
  invalid_credentials: 401,
  invalid_refresh_token: 401,
  invalid_telegram_login: 401,
  payment_failed: 402,
  payment_unconfirmed: 402,
  forbidden: 403,
  email_not_verified: 403,
  not_found: 404,
  telegram_disabled: 404,
  email_taken: 409,
  phone_taken: 409,
  identity_taken: 409,
  name_taken: 409,
  cart_exists: 409,
  cart_empty: 409,
  quantity_limit: 409,
  category_not_empty: 409,
  sold_out: 409,
  total_mismatch: 409,
  idempotency_in_progress: 409,
  cannot_delete_self: 409,
  cannot_delete_manager: 409,
  open_orders: 409,
  order_in_progress: 409,
  too_late: 409,
  refund_exceeds_payment: 409,
  stale_version: 412,
  body_too_large: 413,
  unsupported_media_type: 415,
  idempotency_key_reused: 422,
  import_failed: 422,
  rate_limited: 429,
  internal_error: 500,
  unavailable: 503,
  checkout_busy: 503,
  payment_provider_unavailable: 503,
  mail_unavailable: 503,
} as const;

export type Code = keyof typeof codes;

/** `path` is a JSON pointer into the body, the query or the path parameters. */
export interface FieldError {
  path: string;
  message: string;
}

export interface ProblemExtensions {
  errors?: FieldError[];
  /** Seconds. */
  retryAfter?: number;
  members?: Record<string, unknown>;
}

/** An `onRequest` hook with its error codes, which the OpenAPI document lists. */
export interface Guard {
  (request: FastifyRequest, reply: FastifyReply): Promise<void>;
  errorCodes: Code[];
}

export class ApiError extends Error {
  readonly code: Code;
  readonly extensions: ProblemExtensions;
  constructor(code: Code, detail: string, extensions: ProblemExtensions = {}) {
    super(detail);
    this.code = code;
    this.extensions = extensions;
  }
}

/** For a row that does not exist, or that the client may not know of. */
export const notFound = (name: string) => new ApiError("not_found", `${name} not found`);

export const invalidField = (path: string, message: string) =>
  new ApiError("validation_failed", `${path || "the body"}: ${message}`, { errors: [{ path, message }] });

// Errors of Fastify and its plugins. Others are mapped by their status.
const frameworkCodes: Record<string, [Code, string]> = {
  FST_ERR_BAD_URL: ["validation_failed", "The URL is not well-formed"],
  FST_ERR_CTP_INVALID_JSON_BODY: ["validation_failed", "The body is not valid JSON"],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    "validation_failed",
    "The length of the body differs from Content-Length",
  ],
  FST_ERR_CTP_BODY_TOO_LARGE: ["body_too_large", "The body is too large"],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["unsupported_media_type", "The Content-Type is not supported"],
};

// Codes of an unreachable, stopping, full or slow database. A later request may succeed.
const databaseUnavailable =
  /^(CONNECTION_|CONNECT_TIMEOUT|ECONN|EHOSTUNREACH|ENOTFOUND|ETIMEDOUT|EPIPE|08|57P0|53|57014|55P03|25P03)/;

export function toApiError(error: FastifyError | ApiError): ApiError {
  if (error instanceof ApiError) return error;
  const known = frameworkCodes[error.code];
  if (known) return new ApiError(...known);
  if (error.statusCode === 429) return new ApiError("rate_limited", error.message);
  if (error.statusCode === 400) return new ApiError("validation_failed", "The request is malformed");
  if (databaseUnavailable.test(String(error.code)))
    return new ApiError("unavailable", "Please try again in a moment", { retryAfter: 1 });
  return new ApiError("internal_error", "Something went wrong on the server");
}

export const statusOf = ({ code }: ApiError) => codes[code];

/** RFC 9457. */
export function problem(error: ApiError, requestId: string) {
  const status = codes[error.code];
  return {
    type: `urn:ristretto:problem:${error.code}`,
    title: STATUS_CODES[status],
    status,
    code: error.code,
    detail: error.message,
    request_id: requestId,
    ...(error.extensions.errors && { errors: error.extensions.errors }),
    ...error.extensions.members,
  };
}

/** Logs the cause of a 5xx, which the client never sees. */
export function sendProblem(cause: FastifyError | ApiError, request: FastifyRequest, reply: FastifyReply) {
  const error = toApiError(cause);
  const status = codes[error.code];
  if (status >= 500) request.log.error({ err: cause, code: error.code }, "request failed");
  // Fastify rejects a malformed URL before the hook that sets this header.
  reply.header("x-request-id", request.id);
  // Fastify would close the connection while the client sends: a reset instead of the response. The body is drained.
  if (error.code === "body_too_large") reply.removeHeader("connection");
  if (status === 401) reply.header("www-authenticate", "Bearer");
  if (error.extensions.retryAfter !== undefined) reply.header("retry-after", error.extensions.retryAfter);
  // A string: the route's response schema does not describe problems.
  reply
    .code(status)
    .type("application/problem+json; charset=utf-8")
    .send(JSON.stringify(problem(error, request.id)));
}

const unknownRoute = ({ method }: FastifyRequest) =>
  new ApiError("not_found", `No route for ${method} on this path`);

export function registerErrorHandler(app: FastifyInstance) {
  app.setErrorHandler(sendProblem);
  app.setNotFoundHandler((request, reply) => sendProblem(unknownRoute(request), request, reply));
}

/** Rejects unknown routes before anything else: Fastify would read the body first. */
export function rejectUnknownRoutes(app: FastifyInstance) {
  app.addHook("onRequest", (request, _reply, done) => (request.is404 ? done(unknownRoute(request)) : done()));
}

/** Sends a 400 on the socket for malformed HTTP and for headers that are too large or too slow. */
export function handleClientError(error: Error & { code?: string }, socket: Socket) {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const requestId = randomUUID();
  const body = JSON.stringify(
    problem(new ApiError("validation_failed", "The request is not well-formed HTTP"), requestId),
  );
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json; charset=utf-8\r\n` +
      `X-Request-Id: ${requestId}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
