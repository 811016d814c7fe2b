import type { Logger } from "pino";
import { Counter } from "prom-client";
import type { Pool } from "../db/pool.ts";
import { isSuccess, openEndpoint, postJson, toStoredResponse } from "../provider-client/post-json.ts";
import { findUnsentNotification, recordAttempt } from "./queries.ts";

const outcomes = ["sent", "failed"] as const;

const notificationsTotal = new Counter({
  name: "notifications_total",
  help: "Attempts to notify the notification provider, by outcome",
  labelNames: ["outcome"],
});
// So that a rate sees the first one.
for (const outcome of outcomes) notificationsTotal.inc({ outcome }, 0);

/** Opens a client of the notification provider. No order waits for it, and it changes no order. */
export function openNotifier(sql: Pool, url: string, timeoutMs: number, log: Logger) {
  const endpoint = openEndpoint(url);

  return {
    /** Sends a notification and stores the response. Throws after a failure, so that graphile-worker repeats the job. */
    async send(notificationId: string) {
      const notification = await findUnsentNotification(sql, notificationId);
      if (!notification) return;
      const { order_id, order_status } = notification;
      const headers = { "x-order-id": order_id, "idempotency-key": notificationId };
      const http = await postJson(endpoint, { status: order_status }, headers, timeoutMs);

      const response = toStoredResponse(http);
      const outcome = http.result === "response" && isSuccess(http.response) ? "sent" : "failed";
      await recordAttempt(sql, notificationId, outcome, response);
      log.info(
        { notification_id: notificationId, order_id, order_status, sent: outcome === "sent", response },
        "notification",
      );
      notificationsTotal.inc({ outcome });
      if (outcome === "failed")
        throw new Error(`notification ${notificationId} failed: ${JSON.stringify(response).slice(0, 200)}`);
    },
    close: () => endpoint.pool.close(),
  };
}
