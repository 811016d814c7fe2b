// What the notification provider was told, and what it was not.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireManager } from "../auth/guards.ts";
import { Page, pageQuery, readPage, toPage } from "../paging.ts";
import { OneOf, ref } from "../schemas.ts";
import { listNotifications } from "./queries.ts";
import { Notification, notificationStatuses } from "./schemas.ts";

export const notificationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(Notification);

  app.get(
    "/admin/notifications",
    {
      onRequest: requireManager,
      config: { refuses: ["invalid_cursor"] },
      schema: {
        operationId: "listNotifications",
        tags: ["notifications"],
        summary: "The ledger of notifications, newest first",
        querystring: Type.Object({ ...pageQuery, status: Type.Optional(OneOf(notificationStatuses)) }),
        response: { 200: Page(ref(Notification)) },
      },
    },
    async (request) => {
      const page = readPage(request.query);
      return toPage(await listNotifications(app.sql, request.query.status, page), page);
    },
  );
};
