import type { Logger } from "pino";
import type { Pool } from "../db/pool.ts";
import { notifications } from "../observability/metrics.ts";
import { isSuccess, openEndpoint, postJson, toStoredResponse } from "../provider-client/post-json.ts";
import { findUnsentNotification, recordAttempt } from "./queries.ts";

/** A notifier posts to the notification provider; an order never waits for it and never changes by it. */
export function openNotifier(sql: Pool, url: string, timeoutMs: number, log: Logger) {
  const endpoint = openEndpoint(url);

  return {
    /** Sends one notification and stores the answer. Throws when it failed, so that the queue tries again later. */
    async send(notificationId: string) {
      const notification = await findUnsentNotification(sql, notificationId);
      if (!notification) return;
      const { order_id, order_status } = notification;
      const headers = { "x-order-id": order_id, "idempotency-key": notificationId };
      const outcome = await postJson(endpoint, { status: order_status }, headers, timeoutMs);

      const response = toStoredResponse(outcome);
      const sent = outcome.result === "response" && isSuccess(outcome.response);
      log.info({ notification_id: notificationId, order_id, order_status, sent, response }, "notification");
      notifications.inc({ outcome: sent ? "sent" : "failed" });
      await recordAttempt(sql, notificationId, sent ? "sent" : "failed", response);
      if (!sent)
        throw new Error(`notification ${notificationId} failed: ${JSON.stringify(response).slice(0, 200)}`);
    },
    close: () => endpoint.pool.close(),
  };
}
