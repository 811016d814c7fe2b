// Texts of the OpenAPI document that belong to no single operation.
import type { Code } from "../http/errors.ts";

export const about = `
The order service of a coffee shop: menu, carts, orders, payments and staff.

Money is in whole cents; names end in \`_cents\`. Times are RFC 3339 in UTC; names end in \`_at\`. Ids are UUIDs. Bodies
are strict. An unknown key or a wrong type is an error that names every invalid field. Nothing is converted.

# Signing in

\`POST /auth/token\` with email and password returns an access token and a refresh token. Send the access token as
\`Authorization: Bearer …\`. It expires after \`expires_in\` seconds; \`POST /auth/refresh\` returns a new pair. A
\`{user_id}\` may be \`me\`.

# Lists

A list returns \`{ items, next_cursor }\`, newest first unless stated otherwise. For the next page, send \`next_cursor\` as
\`cursor\` with the same filters. It is null on the last page. \`limit\` is 1 to 100, default 20. Rows that are inserted
meanwhile neither repeat nor hide others.

# Retries

Place each order with a new \`Idempotency-Key\` of your own. If no response comes, send the same request with the same key
again. For 24 hours it returns the same order with 200 and \`Idempotent-Replayed: true\`, and nothing is charged twice. A
duplicate of a request in progress gets 409 \`idempotency_in_progress\` at once. The same key with another request gets
422 \`idempotency_key_reused\`. A rejected order releases its key.

# Errors

Every response from 400 up is a \`Problem\` (RFC 9457, \`application/problem+json\`), except the 503 of \`/health\`. Programs
read its \`code\`, which is from a closed list; each code has one status. \`Retry-After\` says after how many seconds to
retry. Every response has an \`X-Request-Id\`, yours if you sent one. The server's log has it too.
`.trim();

export const bearer = {
  type: "http",
  scheme: "bearer",
  bearerFormat: "JWT",
  description: "The `access_token` of `POST /auth/token`. By default it expires after 30 minutes.",
} as const;

export const tags = [
  { name: "auth", description: "Sign up, sign in and renew tokens." },
  { name: "catalog", description: "The public menu and its pictures." },
  { name: "carts", description: "A customer's cart. Each read computes its prices." },
  { name: "orders", description: "Place orders, follow them and change their status." },
  { name: "promotions", description: "Banners above the menu." },
  { name: "users", description: "Accounts, their sign-in identities and their sessions." },
  { name: "catalog admin", description: "Edit the menu: for managers. Baristas may change availability." },
  { name: "payments", description: "The ledger of charges and refunds. For managers." },
  { name: "notifications", description: "Notifications sent to the notification provider. For managers." },
  { name: "events", description: "The event log. For managers." },
  { name: "operations", description: "Health and service information, for operators." },
];

/** Response headers. `on` lists the statuses of successful responses that carry it. */
export const headers = {
  ETag: {
    on: ["200", "201", "304"],
    schema: { type: "string" },
    description: "Version of the response, for `If-None-Match` or `If-Match`",
  },
  Location: { on: ["201"], schema: { type: "string" }, description: "Path of the new resource" },
  "Idempotent-Replayed": {
    on: ["200"],
    schema: { type: "string", enum: ["true"] },
    description: "An earlier request with this key placed the order",
  },
  "Retry-After": { schema: { type: "integer" }, description: "Seconds to wait before a retry" },
  "WWW-Authenticate": { schema: { type: "string" }, description: "`Bearer`" },
} as const;

export type ResponseHeader = "ETag" | "Location" | "Idempotent-Replayed";

export const errorDescriptions: Record<Code, string> = {
  validation_failed: "The request does not match its description; `errors` names every invalid field.",
  invalid_cursor: "The cursor does not come from this list.",
  invalid_idempotency_key: "The Idempotency-Key is not 1 to 255 visible ASCII characters.",
  invalid_item: "A line names an unknown product, variation or option, or has a wrong number of options.",
  invalid_transition: "The order can't change from its status to this one.",
  invalid_code: "The code is wrong, used or expired, or had too many attempts.",
  unauthorized: "The access token is missing, invalid or expired.",
  invalid_credentials: "Email or password is wrong.",
  invalid_refresh_token: "The refresh token is invalid or expired. Sign in again.",
  invalid_telegram_login: "The fields lack a valid signature of the shop's bot, or are older than a day.",
  payment_failed: "The payment failed. Nothing was charged and no order was placed.",
  payment_unconfirmed:
    "The payment provider did not confirm the charge. No order was placed; a charge is refunded.",
  forbidden: "The signed-in user may not do this.",
  email_not_verified: "The password is right, but the email address is not verified yet.",
  not_found: "The resource does not exist or belongs to another user.",
  telegram_disabled: "This shop has no Telegram bot.",
  email_taken: "Another account has this email address.",
  phone_taken: "Another account has this phone number.",
  identity_taken: "Another account has this identity.",
  name_taken: "The name is taken.",
  cart_exists: "The cart exists already.",
  cart_empty: "The cart has no line that can be ordered.",
  quantity_limit: "A line would exceed 100 pieces, or the cart 50 lines.",
  category_not_empty: "The category contains products.",
  sold_out: "A line is sold out; `errors` names every such line.",
  total_mismatch: "The order costs `expected_total_cents` instead. Nothing was charged.",
  idempotency_in_progress: "A request with this key is in progress, or its charge is being reconciled.",
  cannot_delete_self: "Users can't delete their own account.",
  cannot_delete_manager: "Managers can't be deleted. Change the role first.",
  open_orders: "The user has unfinished orders.",
  order_in_progress: "The order is in preparation. The customer can't cancel it any more.",
  too_late: "The order can't be canceled any more.",
  refund_exceeds_payment: "The amount exceeds the rest of the payment.",
  stale_version: "The resource has changed since the version in If-Match.",
  body_too_large: "The body is too large.",
  unsupported_media_type: "The Content-Type is not supported.",
  idempotency_key_reused: "An earlier request used this key with other content.",
  import_failed: "Nothing was imported; `errors` names every invalid cell with its row.",
  rate_limited: "Too many requests, or too many wrong guesses for an account.",
  internal_error: "The server failed. Its log has the cause under the request id.",
  unavailable: "The service is temporarily unavailable.",
  checkout_busy: "Too many orders are being placed. Nothing was charged.",
  payment_provider_unavailable: "The payment provider is down. Nothing was charged.",
  mail_unavailable: "The service can't send mail, and so no code.",
};
