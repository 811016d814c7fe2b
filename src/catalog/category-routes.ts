// Categories for managers. A category leaves the menu only when it is empty.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireManager } from "../auth/guards.ts";
import { newId } from "../db/ids.ts";
import { ApiError, notFound } from "../http/errors.ts";
import { Id } from "../http/schemas.ts";
import {
  archiveCategory,
  countProductsInCategory,
  insertCategory,
  lockCategoryForUpdate,
  updateCategory,
} from "./category-queries.ts";
import { editCatalog } from "./edit.ts";
import { invalidateAfterWrites, type MenuCache } from "./menu-cache.ts";
import { Category, CategoryInput, CategoryPatch } from "./schemas.ts";

const tags = ["catalog admin"];
const params = Type.Object({ category_id: Id });

export const categoryRoutes: FastifyPluginAsyncTypebox<{ menu: MenuCache }> = async (app, { menu }) => {
  const { sql, settings } = app;
  invalidateAfterWrites(app, menu);

  app.post(
    "/admin/categories",
    {
      onRequest: requireManager,
      config: { errorCodes: ["name_taken"], responseHeaders: ["Location"] },
      schema: {
        operationId: "createCategory",
        tags,
        summary: "Create a category",
        body: CategoryInput,
        response: { 201: Category },
      },
    },
    async (request, reply) => {
      const category_id = newId();
      const category = await editCatalog(sql, { category_id }, (tx) =>
        insertCategory(tx, category_id, trimName(request.body)),
      );
      reply.code(201).header("location", `${settings.apiPrefix}/categories/${category_id}`);
      return category;
    },
  );

  app.patch(
    "/admin/categories/:category_id",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found", "name_taken"] },
      schema: {
        operationId: "changeCategory",
        tags,
        summary: "Change the given fields of a category",
        params,
        body: CategoryPatch,
        response: { 200: Category },
      },
    },
    async ({ params: { category_id }, body }) =>
      editCatalog(sql, { category_id }, async (tx) => {
        const category = await updateCategory(tx, category_id, trimName(body));
        if (!category) throw notFound("Category");
        return category;
      }),
  );

  app.delete(
    "/admin/categories/:category_id",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found", "category_not_empty"] },
      schema: {
        operationId: "archiveCategory",
        tags,
        summary: "Archive an empty category: it leaves the menu",
        params,
        response: { 204: Type.Null() },
      },
    },
    async ({ params: { category_id } }, reply) => {
      await editCatalog(sql, { category_id }, async (tx) => {
        if (!(await lockCategoryForUpdate(tx, category_id))) throw notFound("Category");
        // Counts after the lock, so that it sees every product that came in before.
        const products = await countProductsInCategory(tx, category_id);
        if (products > 0)
          throw new ApiError(
            "category_not_empty",
            `The category has ${products} products: move or archive them`,
          );
        await archiveCategory(tx, category_id);
      });
      return reply.code(204).send(null);
    },
  );
};

const trimName = <T extends { name?: string }>(fields: T): T =>
  fields.name === undefined ? fields : { ...fields, name: fields.name.trim() };
