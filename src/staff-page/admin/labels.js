// Labels of users, statuses and provider responses.
import { html } from "../ui/html.js";

/** @typedef {import("../../orders/schemas.ts").Order} Order */
/** @typedef {import("../../payments/schemas.ts").Payment} Payment */
/** @typedef {import("../../refunds/schemas.ts").Refund} Refund */
/** @typedef {import("../../notifications/schemas.ts").Notification} Notification */

/** @param {Pick<import("../api.js").User, "first_name" | "last_name" | "email">} user */
export const nameOf = ({ first_name, last_name, email }) =>
  [first_name, last_name].filter(Boolean).join(" ") || email || "No name";

/** A label, and the class that colors it. @typedef {[string, string]} StatusLabel */

/** @type {Record<Order["status"], StatusLabel>} */
export const orderStatuses = {
  waiting: ["Waiting", "waiting"],
  preparation: ["In preparation", "preparation"],
  ready: ["Ready", "ready"],
  delivered: ["Handed over", "fine"],
  canceled: ["Canceled", "late"],
};

/** Of an order. @type {Record<Order["payment_status"], StatusLabel>} */
export const orderPaymentStatuses = {
  paid: ["Paid", "fine"],
  partially_refunded: ["Partly refunded", "soon"],
  refund_pending: ["Refund pending", "soon"],
  refunded: ["Refunded", "calm"],
  refund_due: ["Refund due", "late"],
};

/** Of a payment. @type {Record<Payment["status"], StatusLabel>} */
export const paymentStatuses = {
  pending: ["Charge pending", "soon"],
  succeeded: ["Charged", "fine"],
  failed: ["Not charged", "calm"],
  unknown: ["Unknown", "late"],
  refund_pending: ["Refund pending", "soon"],
  refunded: ["Refunded", "calm"],
  refund_due: ["Refund due", "late"],
};

/** @type {Record<Refund["status"], StatusLabel>} */
export const refundStatuses = {
  pending: ["On its way", "soon"],
  succeeded: ["Refunded", "fine"],
  failed: ["Failed", "late"],
  due: ["Due", "late"],
};

/** @type {Record<Notification["status"], StatusLabel>} */
export const notificationStatuses = {
  pending: ["On its way", "soon"],
  sent: ["Sent", "fine"],
  failed: ["Failed", "late"],
};

/** @param {{ label: StatusLabel }} props */
export function Badge({ label: [text, kind] }) {
  return html`<span class=${`badge ${kind}`}>${text}</span>`;
}

/** @type {[RegExp, string][]} */
const errors = [
  [/^no response within/, "The provider did not respond in time."],
  [/PAYMENT_REFUND_URL/, "No refund endpoint is configured: refund by hand."],
  [/^ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|CONNECT_TIMEOUT/, "The provider could not be reached."],
];

/**
 * Describes a provider's response or error.
 * @param {unknown} response of a payment, refund or notification
 */
function describeResponse(response) {
  if (!response) return "No response yet.";
  const { status, body, error } = /** @type {{ status?: number, body?: any, error?: string }} */ (response);
  if (error)
    return errors.find(([pattern]) => pattern.test(error))?.[1] ?? `The connection was lost (${error}).`;
  const message = typeof body?.message === "string" ? `: “${body.message}”` : ".";
  if (status && status >= 200 && status < 300)
    return body?.success === false
      ? `The provider rejected it${message}`
      : `The provider accepted it (${status})${message}`;
  if (status === 404) return `The provider knows no such charge (404)${message}`;
  if (status && status >= 500) return `The provider has an error (${status})${message}`;
  return `The provider rejected it (${status})${message}`;
}

/**
 * The response as a sentence, and in full.
 * @param {{ response: unknown }} props
 */
export function ProviderResponse({ response }) {
  return html`
    <p>${describeResponse(response)}</p>
    ${
      Boolean(response) &&
      html`<details class="raw"><summary>Full response</summary><pre>${JSON.stringify(response, null, 2)}</pre></details>`
    }
  `;
}
