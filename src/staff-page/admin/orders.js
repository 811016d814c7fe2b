// All orders, by status, day and customer.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem, get } from "../api.js";
import { useNavigation } from "../router.js";
import { Button } from "../ui/button.js";
import { Form, FormActions, SelectField, TextField } from "../ui/form.js";
import { html } from "../ui/html.js";
import { formatMoney } from "../ui/money.js";
import { Time } from "../ui/time.js";
import { PagedList, usePaginatedQuery } from "../ui/use-paginated-query.js";
import { ViewHead } from "../ui/view-head.js";
import { Badge, orderPaymentStatuses, orderStatuses } from "./labels.js";
import { OrderStory } from "./order.js";

/** @typedef {import("../../orders/schemas.ts").Order} Order */

/** @param {{ route: import("../router.js").Route }} props */
export function View({ route: { rest, query } }) {
  const [id] = rest;
  return id ? html`<${OrderStory} key=${id} id=${id} />` : html`<${OrderList} query=${query} />`;
}

/** The beginning of a day in the reader's own time zone. @param {string | null} day such as 2026-03-02 @param {number} [later] days */
function startOf(day, later = 0) {
  const start = new Date(`${day}T00:00`);
  if (Number.isNaN(start.getTime())) return undefined;
  start.setDate(start.getDate() + later);
  return start.toISOString();
}

/** @param {{ query: URLSearchParams }} props What is asked for stands in the address: it can be kept, and gone back to. */
function OrderList({ query }) {
  const pages = /** @type {import("../ui/use-paginated-query.js").Pages<Order>} */ (
    usePaginatedQuery("/admin/orders", {
      status: query.get("status"),
      customer_id: query.get("customer_id"),
      from: startOf(query.get("from")),
      // Inclusive.
      to: startOf(query.get("to"), 1),
    })
  );
  return html`
    <${ViewHead} title="Orders">
      <div class="tools"><${Button} onPress=${pages.reload}>Refresh<//></div>
    <//>
    <${Filters} query=${query} />
    <${PagedList} pages=${pages} empty="No orders found.">
      <div class="table-frame">
        <table class="order-list">
          <thead>
            <tr><th>Order</th><th>Placed</th><th>Items</th><th class="number">Total</th><th>Status</th><th>Payment</th></tr>
          </thead>
          <tbody>
            ${pages.items?.map(
              (order) => html`
                <tr key=${order.id}>
                  <th scope="row"><a href=${`#/orders/${order.id}`}><span class="on-phones">Order </span>${order.number}</a></th>
                  <td><${Time} at=${order.created_at} /></td>
                  <td>${order.items.map(({ quantity, product_name }) => `${quantity} × ${product_name}`).join(", ")}</td>
                  <td class="number">${formatMoney(order.total_cents)}</td>
                  <td><${Badge} label=${orderStatuses[order.status]} /></td>
                  <td><${Badge} label=${orderPaymentStatuses[order.payment_status]} /></td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    <//>
  `;
}

/** @param {{ query: URLSearchParams }} props */
function Filters({ query }) {
  const { go } = useNavigation();
  const [status, setStatus] = useState(query.get("status") ?? "");
  const [from, setFrom] = useState(query.get("from") ?? "");
  const [to, setTo] = useState(query.get("to") ?? "");
  const asked = query.get("customer_id") ?? "";
  const [customer, setCustomer] = useState(asked);

  /** By id, so that a customer found by email is shown by email. */
  const emails = useRef(/** @type {Map<string, string>} */ (new Map())).current;
  // The same form, so that the focus stays.
  useEffect(() => {
    setStatus(query.get("status") ?? "");
    setFrom(query.get("from") ?? "");
    setTo(query.get("to") ?? "");
    setCustomer(emails.get(asked) ?? asked);
  }, [query.toString()]);
  // A deleted customer has only an id.
  useEffect(() => {
    if (!asked || emails.has(asked)) return;
    get(`/users/${asked}`).then(
      ({ email }) => setCustomer((typed) => (typed === asked ? (email ?? asked) : typed)),
      () => {},
    );
  }, [asked]);

  async function show() {
    const named = customer.trim();
    const customer_id = await findCustomer(named);
    if (customer_id) emails.set(customer_id, named);
    go("/orders", { status, from, to, customer_id });
  }

  return html`
    <div class="finder">
      <${Form} onSave=${show}>
        <${SelectField}
          label="Status"
          path="/status"
          value=${status}
          onValue=${setStatus}
          options=${[
            { value: "", label: "Any" },
            ...Object.entries(orderStatuses).map(([value, [label]]) => ({ value, label })),
          ]}
        />
        <${TextField} label="From" path="/from" type="date" value=${from} onValue=${setFrom} />
        <${TextField} label="To" path="/to" type="date" value=${to} onValue=${setTo} />
        <${TextField} label="Customer" path="/customer_id" placeholder="Email or id" autocomplete="off" value=${customer} onValue=${setCustomer} />
        <${FormActions} save="Show" />
      <//>
    </div>
  `;
}

/**
 * Returns a customer's id, given the id or the email; empty for an empty field. Throws ApiProblem for the field.
 * @param {string} named
 * @returns {Promise<string>}
 */
async function findCustomer(named) {
  if (!named || /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(named)) return named;
  const { items } = await get("/users", { email: named });
  if (items.length > 0) return items[0].id;
  const detail = "No user has this email";
  throw new ApiProblem({
    status: 404,
    code: "not_found",
    detail,
    errors: [{ path: "/customer_id", message: detail }],
  });
}
