// One order: items, payment, refunds, notifications and history.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem, call, get } from "../api.js";
import { addressOf, kindOf } from "../fulfillment.js";
import { follow } from "../stream.js";
import { announce, toast, toastError } from "../ui/announce.js";
import { Button } from "../ui/button.js";
import { Dialog } from "../ui/dialog.js";
import { Form, FormActions, MoneyField, TextArea } from "../ui/form.js";
import { html } from "../ui/html.js";
import { formatChange, formatMoney, parseMoney, typedMoney } from "../ui/money.js";
import { Time } from "../ui/time.js";
import { QueryState, useQuery } from "../ui/use-query.js";
import { catchFocus, ViewHead } from "../ui/view-head.js";
import {
  Badge,
  nameOf,
  orderPaymentStatuses,
  orderStatuses,
  ProviderResponse,
  paymentStatuses,
} from "./labels.js";
import { NotificationTable } from "./notifications.js";
import { RefundTable } from "./refunds.js";

/** @typedef {import("../../orders/schemas.ts").Order} Order */
/** @typedef {import("../../payments/schemas.ts").Payment} Payment */
/** @typedef {import("../../refunds/schemas.ts").Refund} Refund */
/** @typedef {import("../../notifications/schemas.ts").Notification} Notification */
/** @typedef {import("../../events/schemas.ts").Event} Event */
/** @typedef {import("../api.js").User} User */
/**
 * @typedef {object} Story
 * @property {Order} order
 * @property {User | undefined} customer undefined: deleted since
 * @property {Payment[]} payments
 * @property {Refund[]} refunds
 * @property {Notification[]} notifications
 * @property {Event[]} events the oldest first
 */

/** Intervals of reads while a provider call is pending, which no stream reports. */
const looks = { firstMs: 500, lastMs: 10_000 };
/** How long the service stores events. */
const keptMs = 30 * 24 * 3_600_000;

/** @type {Partial<Record<Order["status"], { to: Order["status"], tap: string }>>} */
const steps = {
  waiting: { to: "preparation", tap: "Start preparing" },
  preparation: { to: "ready", tap: "It's ready" },
  ready: { to: "delivered", tap: "Hand over" },
};

/** @param {Order} order */
const isFinished = ({ status }) => status === "delivered" || status === "canceled";

/** Whether events of it may be gone. @param {Order} order */
const isForgotten = ({ created_at }) => Date.now() - Date.parse(created_at) > keptMs;

/** Whether events are missing yet: they are told a moment after what they tell of. @param {Story} story */
const isIncomplete = ({ order, refunds, events }) =>
  !isForgotten(order) &&
  (events.length === 0 ||
    events.filter(({ type }) => type === "payment.refunded").length <
      refunds.filter(({ status }) => status === "succeeded").length);

/** @param {string} id @returns {Promise<Story>} */
async function readStory(id) {
  const all = { limit: 100 };
  const [order, payments, refunds, notifications, events] = await Promise.all([
    get(`/orders/${id}`),
    get("/admin/payments", { ...all, order_id: id }),
    get(`/admin/orders/${id}/refunds`, all),
    get("/admin/notifications", { ...all, order_id: id }),
    get("/admin/events", { ...all, subject_id: id }),
  ]);
  return {
    order,
    customer: await findCustomer(order.customer_id),
    payments: payments.items,
    refunds: refunds.items,
    notifications: notifications.items,
    events: events.items.reverse(),
  };
}

/** @param {string} id @returns {Promise<User | undefined>} */
async function findCustomer(id) {
  try {
    return await get(`/users/${id}`);
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return undefined;
    throw error;
  }
}

/** Cents that can still be given back. @param {Story} story */
const refundable = ({ payments, refunds }) =>
  payments.reduce((sum, { amount_cents }) => sum + amount_cents, 0) -
  refunds
    .filter(({ status }) => status !== "failed")
    .reduce((sum, { amount_cents }) => sum + amount_cents, 0);

/** @param {{ id: string }} props */
export function OrderStory({ id }) {
  const reading = /** @type {import("../ui/use-query.js").QueryResult<Story>} */ (
    useQuery(id, () => readStory(id))
  );
  const [asking, setAsking] = useState(/** @type {"refund" | "cancel" | undefined} */ (undefined));
  const { value: story, reload } = reading;

  useEffect(() => {
    const stop = follow(
      `/orders/${id}/events`,
      ({ type, data }) => {
        // The stream of a finished order ends; do not reopen it.
        if (isFinished(type === "snapshot" ? data : data.data)) stop();
        if (type === "snapshot") return;
        announce(inBrief(data.data.number, happening(data)[0]));
        void reload();
      },
      () => {},
    );
    return stop;
  }, [id]);

  const pending = [...(story?.refunds ?? []), ...(story?.notifications ?? [])].some(
    ({ status }) => status === "pending",
  );
  const underWay = pending || (story !== undefined && isIncomplete(story));
  useEffect(() => {
    if (!underWay) return;
    let wait = looks.firstMs;
    const look = () => {
      void reload();
      wait = Math.min(wait * 1.5, looks.lastMs);
      timer = setTimeout(look, wait);
    };
    let timer = setTimeout(look, wait);
    return () => clearTimeout(timer);
  }, [underWay]);

  if (!story)
    return html`
      <${ViewHead} title="Order" />
      <${Back} />
      <${QueryState} query=${reading} />
    `;

  const { order, customer, payments, refunds, notifications, events } = story;
  const step = steps[order.status];
  const left = refundable(story);

  async function advance() {
    try {
      await call("PATCH", `/orders/${id}/status`, { body: { status: step?.to } });
      // The stream reports the same change; announce it once.
      if (step) announce(inBrief(order.number, orderStatuses[step.to][0]));
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      toastError(
        error.code === "invalid_transition"
          ? "Another user was faster. This is the order now."
          : error.message,
      );
    }
    await reload();
  }

  return html`
    <${ViewHead} title=${`Order ${order.number}`}>
      <${Badge} label=${orderStatuses[order.status]} />
      <${Badge} label=${orderPaymentStatuses[order.payment_status]} />
      <div class="tools order-actions">
        ${!isFinished(order) && html`<button type="button" class="button" onClick=${() => setAsking("cancel")}>Cancel order…</button>`}
        ${left > 0 && html`<button type="button" class="button" onClick=${() => setAsking("refund")}>Refund…</button>`}
        ${step && html`<${Button} class="primary" onPress=${advance}>${step.tap}<//>`}
      </div>
    <//>
    <${Back} />
    ${reading.problem && html`<${QueryState} query=${reading} />`}
    <div class="story">
      <div>
        <section class="part sheet" aria-labelledby="ordered">
          <h2 id="ordered">Items</h2>
          <${Receipt} order=${order} />
        </section>
        <section class="part sheet" aria-labelledby="paid">
          <h2 id="paid">Payment</h2>
          ${payments.map((payment) => html`<${PaymentFacts} key=${payment.id} payment=${payment} />`)}
        </section>
      </div>
      <div>
        <section class="part sheet" aria-labelledby="whose">
          <h2 id="whose">Customer</h2>
          <${Customer} order=${order} customer=${customer} />
        </section>
        <section class="part sheet" aria-labelledby="happened">
          <h2 id="happened">History</h2>
          <${Timeline} order=${order} events=${events} />
        </section>
      </div>
    </div>
    <section class="part" aria-labelledby="refunds">
      <h2 id="refunds">Refunds</h2>
      ${
        refunds.length === 0
          ? html`<p class="quiet">No refunds.</p>`
          : html`<${RefundTable} ofOneOrder refunds=${refunds} onRetried=${reload} />`
      }
    </section>
    <section class="part" aria-labelledby="notifications">
      <h2 id="notifications">Notifications</h2>
      ${
        notifications.length === 0
          ? html`<p class="quiet">No notifications yet. Each change of status sends one.</p>`
          : html`<${NotificationTable} ofOneOrder notifications=${notifications} onRetried=${reload} />`
      }
    </section>
    ${
      asking === "refund" &&
      html`<${RefundDialog}
        order=${order}
        left=${left}
        onClose=${() => setAsking(undefined)}
        onDone=${async () => {
          setAsking(undefined);
          toast("Refund requested");
          await reload();
          catchFocus();
        }}
      />`
    }
    ${
      asking === "cancel" &&
      html`<${CancelDialog}
        order=${order}
        left=${left}
        onClose=${() => {
          setAsking(undefined);
          void reload();
        }}
        onDone=${async () => {
          setAsking(undefined);
          toast(`Order ${order.number} is canceled`);
          await reload();
          catchFocus();
        }}
      />`
    }
  `;
}

const Back = () => html`<p><a href="#/orders"><span aria-hidden="true">‹ </span>All orders</a></p>`;

/** @param {{ order: Order }} props */
function Receipt({ order }) {
  return html`
    <ul class="receipt">
      ${order.items.map(
        ({ id, quantity, product_name, variation_name, options, total_cents, unit_price_cents, notes }) => {
          const choices = [
            variation_name,
            ...options.map(({ name, price_change_cents }) =>
              price_change_cents === 0 ? name : `${name} (${formatChange(price_change_cents)})`,
            ),
          ].filter(Boolean);
          return html`
          <li key=${id}>
            <span class="quantity">${quantity} ×</span>
            <div>
              <strong>${product_name}</strong>
              ${choices.length > 0 && html`<p class="choices">${choices.join(", ")}</p>`}
              ${notes && html`<p class="note">${notes}</p>`}
            </div>
            <p class="number">${formatMoney(total_cents)}${quantity > 1 && html`<span class="quiet each">${formatMoney(unit_price_cents)} each</span>`}</p>
          </li>
        `;
        },
      )}
    </ul>
    <p class="sum"><span>Total</span><strong>${formatMoney(order.total_cents)}</strong></p>
    ${order.notes && html`<p class="note">${order.notes}</p>`}
  `;
}

/** @param {{ payment: Payment }} props */
function PaymentFacts({ payment: { id, amount_cents, refunded_cents, status, response, created_at } }) {
  return html`
    <dl class="facts">
      <dt>Amount</dt><dd>${formatMoney(amount_cents)} <${Badge} label=${paymentStatuses[status]} /></dd>
      <dt>Refunded</dt><dd>${refunded_cents > 0 ? formatMoney(refunded_cents) : "Nothing"}</dd>
      <dt>Charged</dt><dd><${Time} at=${created_at} /></dd>
      <dt>Provider</dt><dd class="answer">${amount_cents === 0 ? "No charge was needed." : html`<${ProviderResponse} response=${response} />`}</dd>
      <dt>Provider's key</dt><dd class="id">${id}</dd>
    </dl>
  `;
}

/** @param {{ order: Order, customer: User | undefined }} props */
function Customer({ order: { customer_id, fulfillment, metadata }, customer }) {
  const { scheduled_at, address, phone_number } = fulfillment;
  return html`
    <dl class="facts">
      <dt>Who</dt>
      <dd>
        ${customer ? html`<a href=${`#/users/${customer_id}`}>${nameOf(customer)}</a>` : "Deleted account"}
        <br /><a href=${`#/orders?customer_id=${customer_id}`}>Other orders</a>
      </dd>
      ${(phone_number ?? customer?.phone_number) && html`<dt>Phone</dt><dd>${phone_number ?? customer?.phone_number}</dd>`}
      <dt>How</dt><dd>${kindOf(fulfillment)}</dd>
      ${scheduled_at && html`<dt>For</dt><dd><${Time} at=${scheduled_at} /></dd>`}
      ${address && html`<dt>Where</dt><dd>${addressOf(fulfillment).map((line) => html`<p>${line}</p>`)}${address.notes && html`<p class="note">${address.notes}</p>`}</dd>`}
      ${metadata && html`<dt>From the app</dt><dd class="id">${JSON.stringify(metadata)}</dd>`}
    </dl>
  `;
}

/** @param {{ order: Order, events: Event[] }} props */
function Timeline({ order, events }) {
  return html`
    ${
      isForgotten(order) &&
      html`<p class="quiet">Placed <${Time} at=${order.created_at} />. History is kept for 30 days.</p>`
    }
    <ol class="timeline">
      ${events.map((event) => {
        const [word, kind, more] = happening(event);
        return html`
          <li key=${event.id} class=${kind}>
            <strong>${word}</strong> <${Time} at=${event.created_at} />
            ${more && html`<p class="quiet">${more}</p>`}
          </li>
        `;
      })}
    </ol>
  `;
}

/** @param {number} number @param {string} word */
const inBrief = (number, word) => `Order ${number}: ${word}`;

/** @param {Event} event @returns {[word: string, kind: string, more?: string | null]} */
function happening({ type, data: told }) {
  const data = /** @type {Order & { to: Order["status"], reason: string | null, amount_cents: number }} */ (
    told
  );
  if (type === "order.created") return ["Placed", "calm"];
  if (type === "order.status_changed") return orderStatuses[data.to];
  if (type === "order.canceled") return ["Canceled", "late", data.reason];
  if (type === "payment.refunded") return [`${formatMoney(data.amount_cents)} refunded`, "fine"];
  return [type, "calm"];
}

/**
 * @param {object} props
 * @param {Order} props.order
 * @param {number} props.left cents
 * @param {() => void} props.onClose
 * @param {() => unknown} props.onDone
 */
function RefundDialog({ order, left, onClose, onDone }) {
  const [amount, setAmount] = useState(typedMoney(left));
  const [reason, setReason] = useState("");
  /** The refundable amount before an attempt without a response, which may have arrived. */
  const leftBefore = useRef(/** @type {number | undefined} */ (undefined));

  /** Throws ApiProblem if the last attempt arrived, so that no one refunds twice unknowingly. */
  async function lookForLastTry() {
    if (leftBefore.current === undefined) return;
    const gone = leftBefore.current - refundable(await readStory(order.id));
    leftBefore.current = undefined;
    if (gone > 0)
      throw new ApiProblem({
        status: 409,
        code: "refund_exceeds_payment",
        detail: `${formatMoney(gone)} is being refunded already: the last attempt arrived. Refund more only if intended`,
      });
  }

  async function save() {
    await lookForLastTry();
    const typed = amount.trim();
    const amount_cents = typed === "" ? undefined : (parseMoney(typed) ?? typed);
    try {
      await call("POST", `/admin/orders/${order.id}/refunds`, { body: { amount_cents, reason } });
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      if (error.code === "unreachable") leftBefore.current = left;
      if (error.code !== "refund_exceeds_payment") throw error;
      // Read again: another user may have refunded in the meantime.
      const now = refundable(await readStory(order.id));
      throw new ApiProblem({
        status: error.status,
        code: error.code,
        detail:
          now > 0
            ? `Only ${formatMoney(now)} of the payment is left to refund`
            : "The whole payment is refunded, or pending",
      });
    }
    await onDone();
  }

  return html`
    <${Dialog} title=${`Refund of order ${order.number}`} onClose=${onClose}>
      <${Form} onSave=${save}>
        <${MoneyField}
          label="Amount"
          path="/amount_cents"
          codes=${["refund_exceeds_payment"]}
          hint=${`${formatMoney(left)} is left of the payment.`}
          value=${amount}
          onValue=${setAmount}
          autofocus
        />
        <${TextArea} label="Reason" path="/reason" hint="For your records." value=${reason} onValue=${setReason} />
        <${FormActions} save="Refund" />
      <//>
    <//>
  `;
}

/**
 * @param {object} props
 * @param {Order} props.order
 * @param {number} props.left cents
 * @param {() => void} props.onClose
 * @param {() => unknown} props.onDone
 */
function CancelDialog({ order, left, onClose, onDone }) {
  const [reason, setReason] = useState("");
  async function save() {
    await call("POST", `/orders/${order.id}/cancel`, { body: { reason } });
    await onDone();
  }
  return html`
    <${Dialog} title=${`Cancel order ${order.number}`} onClose=${onClose}>
      <${Form} onSave=${save}>
        <p>The customer is notified${left > 0 && html` and gets <strong>${formatMoney(left)}</strong> back`}. This can't be undone.</p>
        <${TextArea} label="Reason" path="/reason" value=${reason} onValue=${setReason} />
        <${FormActions} save="Cancel the order" />
      <//>
    <//>
  `;
}
