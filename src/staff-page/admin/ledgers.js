// Payments, refunds and notifications, and those that need attention.
import { html } from "../ui/html.js";
import { formatMoney } from "../ui/money.js";
import { Tabs } from "../ui/tabs.js";
import { Time } from "../ui/time.js";
import { PagedList, usePaginatedQuery } from "../ui/use-paginated-query.js";
import { ViewHead } from "../ui/view-head.js";
import { Badge, notificationStatuses, ProviderResponse, paymentStatuses, refundStatuses } from "./labels.js";
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
        { href: "#/ledgers", label: "Needs attention", current: !ledger },
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
        : html`<${NeedsAttention} />`
    }
  `;
}

/** @type {{ title: string, about: string, ledger: string, status: string }[]} */
const attentionItems = [
  {
    title: "Refunds due",
    about: "The provider did not make these refunds. Retry, or refund by hand.",
    ledger: "refunds",
    status: "due",
  },
  {
    title: "Failed refunds",
    about: "The provider knows no such charge. Contact the provider.",
    ledger: "refunds",
    status: "failed",
  },
  {
    title: "Unknown charges",
    about: "They were sent without a response. The service settles them within about a minute.",
    ledger: "payments",
    status: "unknown",
  },
  {
    title: "Failed notifications",
    about: "The service retries them for about a day.",
    ledger: "notifications",
    status: "failed",
  },
];

function NeedsAttention() {
  // The list is constant, so the number of hooks is, too.
  const lists = attentionItems.map(({ ledger, status }) =>
    usePaginatedQuery(/** @type {typeof ledgers[string]} */ (ledgers[ledger]).path, { status }),
  );
  const clear = lists.every(({ items }) => items?.length === 0);
  const reading = lists.some(({ items, problem }) => !items && !problem);
  return html`
    ${reading && html`<p class="quiet">Loading…</p>`}
    ${
      clear &&
      html`<div class="all-clear" role="status">
        <h2>All clear</h2>
        <p>No refund is due or failed, no charge is unknown, and no notification has failed.</p>
      </div>`
    }
    ${attentionItems.map(({ title, about, ledger }, nth) => {
      const pages = /** @type {import("../ui/use-paginated-query.js").Pages<any>} */ (lists[nth]);
      if (!pages.problem && !pages.items?.length) return null;
      const id = `attention-${nth}`;
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
    <${PagedList} pages=${pages} empty=${`No ${label.toLowerCase()} found.`}>${table(pages.items ?? [])}<//>
  `;
}

/** @param {{ payments: Payment[] }} props */
function PaymentTable({ payments }) {
  return html`
    <div class="table-frame">
      <table>
        <thead>
          <tr><th>Charge</th><th>Order</th><th>Status</th><th>Refunded</th><th>Response</th><th>Created</th></tr>
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
                      ? html`<a href=${`#/orders/${order_id}`}>Open order</a>`
                      : html`None; <a href=${`#/users/${customer_id}`}>open customer</a>`
                  }
                </td>
                <td data-label="Status"><${Badge} label=${paymentStatuses[status]} /></td>
                <td data-label="Refunded">${refunded_cents > 0 ? formatMoney(refunded_cents) : html`<span class="quiet">nothing</span>`}</td>
                <td data-label="Response" class="answer">${amount_cents === 0 ? "No charge was needed." : html`<${ProviderResponse} response=${response} />`}</td>
                <td data-label="Created"><${Time} at=${created_at} /></td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
