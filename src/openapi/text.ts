// The words of the OpenAPI document that belong to no single operation.
import type { Code } from "../http/errors.ts";

export const about = `
The order service of a coffee shop: menu, carts, orders and their payment, status, staff.

Money is whole cents; names end in \`_cents\`. Times are RFC 3339 in UTC; names end in \`_at\`. Ids are UUIDs. Bodies are
strict: an unknown key or a wrong type is refused with every bad field named, and nothing is converted.

# Signing in

\`POST /auth/token\` with email and password gives an access token, for \`Authorization: Bearer …\`, and a refresh token.
The access token lives for \`expires_in\` seconds; \`POST /auth/refresh\` then gives a new pair. A \`{user_id}\` may be
\`me\`.

# Lists

A list answers \`{ items, next_cursor }\`, newest first unless said otherwise. Send \`next_cursor\` back as \`cursor\`, with
the same filters, for the next page; it is null on the last one. \`limit\` is 1 to 100, and 20 if it is left out. Rows
that come in meanwhile neither repeat nor hide others.

# Sending again

An order is placed with an \`Idempotency-Key\` of your making, a new one for each order. If no answer comes, send the
same request with the same key again: for 24 hours it gives the same order (200 and \`Idempotent-Replayed: true\`, where
the first answer was 201), and nobody is charged twice. While the first is under way the second gets 409
\`idempotency_in_progress\`, at once. The same key with another request is 422 \`idempotency_key_reused\`. A placement
that was refused frees its key.

# Refusals

Every answer from 400 up is a \`Problem\` (RFC 9457, \`application/problem+json\`), but for 503 of \`/health\`. Programs go by
its \`code\`, from one closed list in which a code always has the same status. Where \`Retry-After\` is sent, try again
after so many seconds. Every answer has an \`X-Request-Id\`, your own if you sent one: it finds the request in our log.
`.trim();

export const bearer = {
  type: "http",
  scheme: "bearer",
  bearerFormat: "JWT",
  description:
    "The `access_token` that `POST /auth/token` gives. It lives for half an hour unless set otherwise.",
} as const;

export const tags = [
  { name: "auth", description: "Becoming a user, signing in, staying signed in." },
  { name: "catalog", description: "What everybody may see: the menu and its pictures." },
  { name: "carts", description: "What a customer is about to order. Priced whenever it is read." },
  { name: "orders", description: "Placing an order, following it, moving it along." },
  { name: "promotions", description: "What the shop shows above the menu." },
  { name: "users", description: "Accounts, the ways to sign in to them, and signed-in devices." },
  { name: "catalog admin", description: "The menu's upkeep, for managers; availability for baristas too." },
  { name: "payments", description: "The ledger of charges, and money on its way back; for managers." },
  { name: "notifications", description: "What was told to the notification provider; for managers." },
  { name: "events", description: "What happened, to whatever it happened; for managers." },
  { name: "operations", description: "For those who run the service." },
];

/** Headers of answers, those of successes each with the statuses that it belongs to. */
export const headers = {
  ETag: {
    on: ["200", "201", "304"],
    schema: { type: "string" },
    description: "The version of what is answered, for `If-None-Match` or `If-Match`",
  },
  Location: { on: ["201"], schema: { type: "string" }, description: "The path at which the new one is read" },
  "Idempotent-Replayed": {
    on: ["200"],
    schema: { type: "string", enum: ["true"] },
    description: "This order was placed before, by a request with this key",
  },
  "Retry-After": { schema: { type: "integer" }, description: "Seconds after which to try again" },
  "WWW-Authenticate": { schema: { type: "string" }, description: "`Bearer`" },
} as const;

export type ResponseHeader = "ETag" | "Location" | "Idempotent-Replayed";

/** What each code means to whoever gets it. */
export const errorDescriptions: Record<Code, string> = {
  validation_failed: "The request is not of the form described; `errors` names every bad field.",
  invalid_cursor: "The cursor is not one that this list gave.",
  invalid_idempotency_key: "The Idempotency-Key is not 1 to 255 visible ASCII characters.",
  invalid_item:
    "A line can't be ordered as it is: unknown product, variation or option, or a wrong number of options.",
  invalid_transition: "The order's status can't become this one now.",
  invalid_code: "The code is wrong, used, expired, or was tried too often.",
  unauthorized: "There is no token, or none that is good any more.",
  invalid_credentials: "Email or password is wrong.",
  invalid_refresh_token: "The refresh token is not good, or not any more: sign in again.",
  invalid_telegram_login: "The fields are not signed by our bot, or were more than a day ago.",
  payment_failed: "The payment was refused or never made; nothing was charged, and there is no order.",
  payment_unconfirmed:
    "The payment provider did not answer. There is no order; if it charged, that is given back.",
  forbidden: "Whoever signed in may not do this.",
  email_not_verified: "The password is right, but the email address is not proved yet.",
  not_found: "There is no such thing, or it is somebody else's.",
  telegram_disabled: "This shop has no Telegram bot.",
  email_taken: "Another account has this email address.",
  phone_taken: "Another account has this phone number.",
  identity_taken: "Another account signs in by this identity.",
  name_taken: "Another one has this name.",
  cart_exists: "There is a cart already.",
  cart_empty: "There is nothing in the cart that could be ordered.",
  quantity_limit: "A line would pass 100 pieces, or the cart 50 lines.",
  category_not_empty: "There are products in this category.",
  sold_out: "A line is sold out at the moment; `errors` names every one.",
  total_mismatch: "The order costs something else, `expected_total_cents`; nothing was charged.",
  idempotency_in_progress: "A request with this key is under way, or what it charged is being settled.",
  cannot_delete_self: "Nobody deletes his own account.",
  cannot_delete_manager: "A manager has to lose the role first.",
  open_orders: "An order of this user is not finished.",
  order_in_progress: "The order is being made, and no longer the customer's to cancel.",
  too_late: "The order can't be canceled any more.",
  refund_exceeds_payment: "That is more than is left of the payment.",
  stale_version: "It has changed since the version in If-Match.",
  body_too_large: "The body is larger than is read here.",
  unsupported_media_type: "The Content-Type is not one that is read here.",
  idempotency_key_reused: "This key came with another request before.",
  import_failed: "Nothing was imported; `errors` names every bad cell with its row.",
  rate_limited: "Too many requests, or too many wrong guesses for an account.",
  internal_error: "Our fault; the request id finds the cause in our log.",
  unavailable: "The service can't answer at the moment.",
  checkout_busy: "Too many orders are being placed at once; nothing was charged.",
  payment_provider_unavailable: "The payment provider is down; nothing was charged.",
  mail_unavailable: "No mail can be sent, and so no code.",
};
