import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireManager } from "../auth/guards.ts";
import { notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id } from "../http/schemas.ts";
import { findNotification, listNotifications, requeueNotification } from "./queries.ts";
import { Notification, NotificationStatus } from "./schemas.ts";

export const notificationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    "/admin/notifications",
    {
      onRequest: requireManager,
      schema: {
        operationId: "listNotifications",
        tags: ["notifications"],
        summary: "List all notifications, newest first",
        querystring: Type.Object({
          ...pageQuery,
          status: Type.Optional(NotificationStatus),
          order_id: Type.Optional(Id),
        }),
        response: { 200: Page(Notification) },
      },
    },
    async (request) => paginate(request.query, (page) => listNotifications(app.sql, request.query, page)),
  );

  app.post(
    "/admin/notifications/:id/retry",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found"] },
      schema: {
        operationId: "retryNotification",
        tags: ["notifications"],
        summary: "Send a notification again at once",
        description: "With the same idempotency key. A sent notification stays as it is.",
        params: Type.Object({ id: Id }),
        response: { 202: Notification },
      },
    },
    async (request, reply) => {
      const notification = await app.sql.begin(async (tx) => {
        await requeueNotification(tx, request.params.id);
        return findNotification(tx, request.params.id);
      });
      if (!notification) throw notFound("Notification");
      return reply.code(202).send(notification);
    },
  );
};
