// What people, the service's statuses and the providers' answers are called to a person.
import { html } from "../ui/html.js";

/** @typedef {import("../../orders/schemas.ts").Order} Order */
/** @typedef {import("../../payments/schemas.ts").Payment} Payment */
/** @typedef {import("../../refunds/schemas.ts").Refund} Refund */
/** @typedef {import("../../notifications/schemas.ts").Notification} Notification */

/** @param {Pick<import("../api.js").User, "first_name" | "last_name" | "email">} user */
export const nameOf = ({ first_name, last_name, email }) =>
  [first_name, last_name].filter(Boolean).join(" ") || email || "Without a name";

/** A word, and the class that colors it. @typedef {[string, string]} StatusLabel */

/** @type {Record<Order["status"], StatusLabel>} */
export const orderStatuses = {
  waiting: ["Waiting", "waiting"],
  preparation: ["In preparation", "preparation"],
  ready: ["Ready", "ready"],
  delivered: ["Handed over", "fine"],
  canceled: ["Canceled", "late"],
};

/** Of an order, as its customer is told. @type {Record<Order["payment_status"], StatusLabel>} */
export const orderPaymentStatuses = {
  paid: ["Paid", "fine"],
  partially_refunded: ["Partly refunded", "soon"],
  refund_pending: ["Refund on its way", "soon"],
  refunded: ["Refunded", "calm"],
  refund_due: ["Refund due", "late"],
};

/** Of a charge in the ledger. @type {Record<Payment["status"], StatusLabel>} */
export const paymentStatuses = {
  pending: ["Being charged", "soon"],
  succeeded: ["Charged", "fine"],
  failed: ["Not charged", "calm"],
  unknown: ["Nobody knows yet", "late"],
  refund_pending: ["Refund on its way", "soon"],
  refunded: ["Refunded", "calm"],
  refund_due: ["Refund due", "late"],
};

/** @type {Record<Refund["status"], StatusLabel>} */
export const refundStatuses = {
  pending: ["On its way", "soon"],
  succeeded: ["Given back", "fine"],
  failed: ["Failed", "late"],
  due: ["Due", "late"],
};

/** @type {Record<Notification["status"], StatusLabel>} */
export const notificationStatuses = {
  pending: ["On its way", "soon"],
  sent: ["Sent", "fine"],
  failed: ["Failed", "late"],
};

/** @param {{ told: StatusLabel }} props */
export function Badge({ told: [word, kind] }) {
  return html`<span class=${`badge ${kind}`}>${word}</span>`;
}

/** @type {[RegExp, string][]} */
const errors = [
  [/^no response within/, "No answer came in time."],
  [/PAYMENT_REFUND_URL/, "This shop has no provider that refunds: give it back by hand."],
  [/^ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|CONNECT_TIMEOUT/, "The provider could not be reached."],
];

/**
 * What a provider answered, or why it did not.
 * @param {unknown} response of a payment, refund or notification
 */
function answerInWords(response) {
  if (!response) return "No answer yet.";
  const { status, body, error } = /** @type {{ status?: number, body?: any, error?: string }} */ (response);
  if (error)
    return errors.find(([pattern]) => pattern.test(error))?.[1] ?? `The connection broke off (${error}).`;
  const message = typeof body?.message === "string" ? `: “${body.message}”` : ".";
  if (status && status >= 200 && status < 300)
    return body?.success === false
      ? `The provider said no${message}`
      : `The provider said yes (${status})${message}`;
  if (status === 404) return `The provider knows of none such (404)${message}`;
  if (status && status >= 500) return `The provider is in trouble (${status})${message}`;
  return `The provider refused (${status})${message}`;
}

/**
 * The answer in words, and as it came for who has to talk to the provider.
 * @param {{ response: unknown }} props
 */
export function Answer({ response }) {
  return html`
    <p>${answerInWords(response)}</p>
    ${
      Boolean(response) &&
      html`<details class="raw"><summary>The whole answer</summary><pre>${JSON.stringify(response, null, 2)}</pre></details>`
    }
  `;
}
