// The table of refunds.
import { html } from "../ui/html.js";
import { formatMoney } from "../ui/money.js";
import { Time } from "../ui/time.js";
import { Badge, ProviderResponse, refundStatuses } from "./labels.js";
import { useRetry } from "./retry.js";

/** @typedef {import("../../refunds/schemas.ts").Refund} Refund */

/**
 * @param {object} props
 * @param {Refund[]} props.refunds
 * @param {boolean} [props.ofOneOrder] which then needs not be named
 * @param {() => unknown} [props.onRetried]
 */
export function RefundTable({ refunds, ofOneOrder = false, onRetried }) {
  return html`
    <div class="table-frame">
      <table>
        <thead>
          <tr>
            <th>Refund</th>
            ${!ofOneOrder && html`<th>Order</th>`}
            <th>Status</th><th>Reason</th><th>Response</th><th>Created</th><th><span class="unseen">Actions</span></th>
          </tr>
        </thead>
        <tbody>
          ${refunds.map(
            (refund) =>
              html`<${RefundRow} key=${refund.id} refund=${refund} ofOneOrder=${ofOneOrder} onRetried=${onRetried} />`,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{ refund: Refund, ofOneOrder: boolean, onRetried?: () => unknown }} props */
function RefundRow({ refund, ofOneOrder, onRetried }) {
  const path = `/admin/orders/${refund.order_id}/refunds`;
  const { row, button } = useRetry({
    row: refund,
    path: `${path}/${refund.id}/retry`,
    list: path,
    name: `The refund of ${formatMoney(refund.amount_cents)}`,
    ends: { succeeded: "succeeded" },
    onEnd: onRetried,
  });
  return html`
    <tr>
      <th scope="row">${formatMoney(row.amount_cents)}</th>
      ${
        !ofOneOrder &&
        html`<td data-label="Order">
          ${
            row.order_id
              ? html`<a href=${`#/orders/${row.order_id}`}>Open order</a>`
              : html`None: a charge without an order`
          }
        </td>`
      }
      <td data-label="Status"><${Badge} label=${refundStatuses[row.status]} />${row.attempts > 1 && html`<span class="tries">${row.attempts} tries</span>`}</td>
      <td data-label="Reason" class="answer">${row.reason}</td>
      <td data-label="Response" class="answer"><${ProviderResponse} response=${row.response} /></td>
      <td data-label="Created"><${Time} at=${row.created_at} /></td>
      <td class="row-actions">
        ${
          row.order_id
            ? row.status !== "succeeded" && button
            : row.status !== "succeeded" &&
              html`<p class="quiet hand">
                ${row.status === "pending" ? "The page reconnects by itself." : "Refund it by hand."}
              </p>`
        }
      </td>
    </tr>
  `;
}
