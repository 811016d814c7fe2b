// The table of notifications.
import { html } from "../ui/html.js";
import { Time } from "../ui/time.js";
import { Badge, notificationStatuses, orderStatuses, ProviderResponse } from "./labels.js";
import { useRetry } from "./retry.js";

/** @typedef {import("../../notifications/schemas.ts").Notification} Notification */

/**
 * @param {object} props
 * @param {Notification[]} props.notifications
 * @param {boolean} [props.ofOneOrder] which then needs not be named
 * @param {() => unknown} [props.onRetried]
 */
export function NotificationTable({ notifications, ofOneOrder = false, onRetried }) {
  return html`
    <div class="table-frame">
      <table>
        <thead>
          <tr>
            <th>Notification</th>
            ${!ofOneOrder && html`<th>Order</th>`}
            <th>Status</th><th>Response</th><th>Created</th><th><span class="unseen">Actions</span></th>
          </tr>
        </thead>
        <tbody>
          ${notifications.map(
            (notification) => html`
              <${NotificationRow}
                key=${notification.id}
                notification=${notification}
                ofOneOrder=${ofOneOrder}
                onRetried=${onRetried}
              />
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{ notification: Notification, ofOneOrder: boolean, onRetried?: () => unknown }} props */
function NotificationRow({ notification, ofOneOrder, onRetried }) {
  const [word] = orderStatuses[notification.order_status];
  const { row, button } = useRetry({
    row: notification,
    path: `/admin/notifications/${notification.id}/retry`,
    list: `/admin/notifications?order_id=${notification.order_id}`,
    name: `“${word}”`,
    ends: { sent: "is sent" },
    onEnd: onRetried,
  });
  return html`
    <tr>
      <th scope="row">${word}</th>
      ${!ofOneOrder && html`<td data-label="Order"><a href=${`#/orders/${row.order_id}`}>Open order</a></td>`}
      <td data-label="Status"><${Badge} label=${notificationStatuses[row.status]} />${row.attempts > 1 && html`<span class="tries">${row.attempts} tries</span>`}</td>
      <td data-label="Response" class="answer"><${ProviderResponse} response=${row.response} /></td>
      <td data-label="Created"><${Time} at=${row.created_at} /></td>
      <td class="row-actions">${row.status !== "sent" && row.attempts > 0 && button}</td>
    </tr>
  `;
}
