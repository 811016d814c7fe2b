// What everybody may see. Public, and the same for all.
import { createHash } from "node:crypto";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { findMenu } from "./queries.ts";
import { Menu } from "./schemas.ts";

export const catalogRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    "/menu",
    {
      schema: {
        operationId: "readMenu",
        tags: ["catalog"],
        summary: "The menu: categories, and products with their variations and options",
        description: "Send the ETag back as If-None-Match: 304 while nothing has changed.",
        response: { 200: Menu, 304: { type: "null", description: "Nothing has changed" } },
      },
    },
    async (request, reply) => {
      const menu = JSON.stringify({ currency: app.settings.currency, ...(await findMenu(app.sql)) });
      const etag = `"${createHash("sha256").update(menu).digest("base64url")}"`;
      reply.header("etag", etag).header("cache-control", "no-cache");
      if (matches(request.headers["if-none-match"], etag)) return reply.code(304).send();
      return reply.type("application/json; charset=utf-8").send(menu);
    },
  );
};

/** If-None-Match compares weakly: a proxy that compressed the menu may have weakened its tag. */
const matches = (header: string | undefined, etag: string) =>
  header?.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag || tag.trim() === "*");
