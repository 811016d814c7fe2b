// Money and messages that need a person, and the ledgers that they stand in.
import { html } from "../ui/html.js";
import { formatMoney } from "../ui/money.js";
import { Tabs } from "../ui/tabs.js";
import { Time } from "../ui/time.js";
import { PagedList, usePaginatedQuery } from "../ui/use-paginated-query.js";
import { ViewHead } from "../ui/view-head.js";
import { Answer, Badge, notificationStatuses, paymentStatuses, refundStatuses } from "./labels.js";
import { NotificationTable } from "./notifications.js";
import { RefundTable } from "./refunds.js";

/** @typedef {import("../../payments/schemas.ts").Payment} Payment */

/** @type {Record<string, { label: string, path: string, statuses: Record<string, import("./labels.js").StatusLabel>, table: (items: any[]) => unknown }>} */
const ledgers = {
  refunds: {
    label: "Refunds",
    path: "/admin/refunds",
    statuses: refundStatuses,
    table: (refunds) => html`<${RefundTable} refunds=${refunds} />`,
  },
  payments: {
    label: "Payments",
    path: "/admin/payments",
    statuses: paymentStatuses,
    table: (payments) => html`<${PaymentTable} payments=${payments} />`,
  },
  notifications: {
    label: "Notifications",
    path: "/admin/notifications",
    statuses: notificationStatuses,
    table: (notifications) => html`<${NotificationTable} notifications=${notifications} />`,
  },
};

/** @param {{ route: import("../router.js").Route }} props */
export function View({ route: { rest, query } }) {
  const [name = ""] = rest;
  const ledger = Object.hasOwn(ledgers, name) ? ledgers[name] : undefined;
  const status = query.get("status") ?? "";
  return html`
    <${ViewHead} title="Ledgers" />
    <${Tabs}
      label="Ledgers"
      tabs=${[
        { href: "#/ledgers", label: "To look after", current: !ledger },
        ...Object.entries(ledgers).map(([key, { label }]) => ({
          href: `#/ledgers/${key}`,
          label,
          current: key === name,
        })),
      ]}
    />
    ${
      ledger
        ? html`<${Ledger} key=${name} name=${name} status=${Object.hasOwn(ledger.statuses, status) ? status : ""} />`
        : html`<${ToLookAfter} />`
    }
  `;
}

/** @type {{ title: string, about: string, ledger: string, status: string }[]} */
const attentionItems = [
  {
    title: "Refunds due",
    about: "The provider can't or won't give these back: a person has to, or has to try again.",
    ledger: "refunds",
    status: "due",
  },
  {
    title: "Refunds that failed",
    about: "The provider knows of no such charge. Ask it before the customer does.",
    ledger: "refunds",
    status: "failed",
  },
  {
    title: "Charges that nobody knows of",
    about: "They were sent, and no answer came. They are settled by themselves within a minute or so.",
    ledger: "payments",
    status: "unknown",
  },
  {
    title: "Notifications that failed",
    about: "They are tried again by themselves for about a day.",
    ledger: "notifications",
    status: "failed",
  },
];

function ToLookAfter() {
  // As many hooks each time: the list never changes.
  const lists = attentionItems.map(({ ledger, status }) =>
    usePaginatedQuery(/** @type {typeof ledgers[string]} */ (ledgers[ledger]).path, { status }),
  );
  const clear = lists.every(({ items }) => items?.length === 0);
  const reading = lists.some(({ items, problem }) => !items && !problem);
  return html`
    ${reading && html`<p class="quiet">Reading…</p>`}
    ${
      clear &&
      html`<div class="all-clear" role="status">
        <h2>All clear</h2>
        <p>No refund is due or failed, every charge is known, and every notification has arrived.</p>
      </div>`
    }
    ${attentionItems.map(({ title, about, ledger }, nth) => {
      const pages = /** @type {import("../ui/use-paginated-query.js").Pages<any>} */ (lists[nth]);
      if (!pages.problem && !pages.items?.length) return null;
      const id = `worry-${nth}`;
      return html`
        <section key=${title} class="part" aria-labelledby=${id}>
          <h2 id=${id}>${title} ${pages.items && html`<span class="count">${pages.items.length}${pages.hasMore && "+"}</span>`}</h2>
          <p class="quiet">${about}</p>
          <${PagedList} pages=${pages} empty="">${ledgers[ledger]?.table(pages.items ?? [])}<//>
        </section>
      `;
    })}
  `;
}

/** @param {{ name: string, status: string }} props */
function Ledger({ name, status }) {
  const { label, path, statuses, table } = /** @type {typeof ledgers[string]} */ (ledgers[name]);
  const pages = usePaginatedQuery(path, { status });
  return html`
    <${Tabs}
      label="Status"
      tabs=${Object.entries({ "": ["All"], ...statuses }).map(([key, [word]]) => ({
        href: `#/ledgers/${name}${key && `?status=${key}`}`,
        label: word,
        current: key === status,
      }))}
    />
    <${PagedList} pages=${pages} empty=${`There are no such ${label.toLowerCase()}.`}>${table(pages.items ?? [])}<//>
  `;
}

/** @param {{ payments: Payment[] }} props */
function PaymentTable({ payments }) {
  return html`
    <div class="table-frame">
      <table>
        <thead>
          <tr><th>Charge</th><th>Order</th><th>Status</th><th>Given back</th><th>Answer</th><th>Asked for</th></tr>
        </thead>
        <tbody>
          ${payments.map(
            ({
              id,
              amount_cents,
              refunded_cents,
              order_id,
              customer_id,
              status,
              response,
              created_at,
            }) => html`
              <tr key=${id}>
                <th scope="row">${formatMoney(amount_cents)}</th>
                <td data-label="Order">
                  ${
                    order_id
                      ? html`<a href=${`#/orders/${order_id}`}>Its order</a>`
                      : html`None came of it; <a href=${`#/users/${customer_id}`}>its customer</a>`
                  }
                </td>
                <td data-label="Status"><${Badge} told=${paymentStatuses[status]} /></td>
                <td data-label="Given back">${refunded_cents > 0 ? formatMoney(refunded_cents) : html`<span class="quiet">nothing</span>`}</td>
                <td data-label="Answer" class="answer">${amount_cents === 0 ? "Nothing was to be charged." : html`<${Answer} response=${response} />`}</td>
                <td data-label="Asked for"><${Time} at=${created_at} /></td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
