import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireManager } from "../auth/guards.ts";
import { newId } from "../db/ids.ts";
import { violatedConstraint } from "../db/pool.ts";
import { invalidField, notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id } from "../http/schemas.ts";
import {
  archivePromotion,
  findPromotion,
  insertPromotion,
  listCurrentPromotions,
  listPromotions,
  updatePromotion,
} from "./queries.ts";
import { Promotion, PromotionInput, PromotionPatch } from "./schemas.ts";

const tags = ["promotions"];
const params = Type.Object({ promotion_id: Id });

export const promotionRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    "/promotions",
    {
      schema: {
        operationId: "listCurrentPromotions",
        tags,
        summary: "List current promotions by sort_order",
        querystring: Type.Object(pageQuery),
        response: { 200: Page(Promotion) },
      },
    },
    async (request) => paginate(request.query, (page) => listCurrentPromotions(app.sql, page)),
  );

  app.get(
    "/admin/promotions",
    {
      onRequest: requireManager,
      schema: {
        operationId: "listPromotions",
        tags,
        summary: "List all promotions, newest first",
        querystring: Type.Object(pageQuery),
        response: { 200: Page(Promotion) },
      },
    },
    async (request) => paginate(request.query, (page) => listPromotions(app.sql, page)),
  );

  app.post(
    "/admin/promotions",
    {
      onRequest: requireManager,
      config: { responseHeaders: ["Location"] },
      schema: {
        operationId: "createPromotion",
        tags,
        summary: "Create a promotion",
        body: PromotionInput,
        response: { 201: Promotion },
      },
    },
    async (request, reply) => {
      const promotion = await insertPromotion(app.sql, newId(), request.body).catch(mapConstraintError);
      const location = `${app.settings.apiPrefix}/admin/promotions/${promotion.id}`;
      return reply.code(201).header("location", location).send(promotion);
    },
  );

  app.get(
    "/admin/promotions/:promotion_id",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found"] },
      schema: {
        operationId: "readPromotion",
        tags,
        summary: "Read a promotion",
        params,
        response: { 200: Promotion },
      },
    },
    async (request) => {
      const promotion = await findPromotion(app.sql, request.params.promotion_id);
      if (!promotion) throw notFound("Promotion");
      return promotion;
    },
  );

  app.patch(
    "/admin/promotions/:promotion_id",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found"] },
      schema: {
        operationId: "changePromotion",
        tags,
        summary: "Change the given fields of a promotion; null clears a field",
        params,
        body: PromotionPatch,
        response: { 200: Promotion },
      },
    },
    async (request) => {
      const { promotion_id } = request.params;
      const promotion = await updatePromotion(app.sql, promotion_id, request.body).catch(mapConstraintError);
      if (!promotion) throw notFound("Promotion");
      return promotion;
    },
  );

  app.delete(
    "/admin/promotions/:promotion_id",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found"] },
      schema: {
        operationId: "removePromotion",
        tags,
        summary: "Archive a promotion",
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      if (!(await archivePromotion(app.sql, request.params.promotion_id))) throw notFound("Promotion");
      return reply.code(204).send(null);
    },
  );
};

function mapConstraintError(error: unknown): never {
  if (violatedConstraint(error) === "promotions_end_after_they_start")
    throw invalidField("/ends_at", "Expected a time after starts_at");
  throw error;
}
