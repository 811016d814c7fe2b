// The office's side of the categories. A name is taken once, whatever its case.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireManager } from "../auth/guards.ts";
import { newId } from "../db/ids.ts";
import { type Db, violatedConstraint } from "../db/pool.ts";
import { insertEvent } from "../events/queries.ts";
import { ApiError, notFound } from "../http/errors.ts";
import { Id } from "../http/schemas.ts";
import {
  archiveCategory,
  countProductsInCategory,
  insertCategory,
  lockCategoryForRemoval,
  updateCategory,
} from "./category-queries.ts";
import { forgetAfterWrites, type Menu } from "./menu-cache.ts";
import { lockMenu } from "./queries.ts";
import { Category, CategoryInput, CategoryPatch } from "./schemas.ts";

const tags = ["catalog admin"];
const params = Type.Object({ category_id: Id });

export const categoryRoutes: FastifyPluginAsyncTypebox<{ menu: Menu }> = async (app, { menu }) => {
  forgetAfterWrites(app, menu);

  app.post(
    "/admin/categories",
    {
      onRequest: requireManager,
      config: { errorCodes: ["name_taken"], responseHeaders: ["Location"] },
      schema: {
        operationId: "createCategory",
        tags,
        summary: "Add a category",
        body: CategoryInput,
        response: { 201: Category },
      },
    },
    async (request, reply) => {
      const id = newId();
      const category = await edit(id, (tx) => insertCategory(tx, id, trimmed(request.body)));
      return reply.code(201).header("location", `${app.settings.apiPrefix}/categories/${id}`).send(category);
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
        summary: "Change what is named of a category",
        params,
        body: CategoryPatch,
        response: { 200: Category },
      },
    },
    async (request) => {
      const { category_id } = request.params;
      return edit(category_id, async (tx) => {
        const category = await updateCategory(tx, category_id, trimmed(request.body));
        if (!category) throw notFound("Category");
        return category;
      });
    },
  );

  app.delete(
    "/admin/categories/:category_id",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found", "category_not_empty"] },
      schema: {
        operationId: "archiveCategory",
        tags,
        summary: "Take an empty category off the menu",
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { category_id } = request.params;
      await edit(category_id, async (tx) => {
        if (!(await lockCategoryForRemoval(tx, category_id))) throw notFound("Category");
        // A statement of its own, begun when the row is held: it sees the product that came in last.
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

  /** Runs one edit of a category in a transaction and says that the menu has changed. */
  async function edit<T>(id: string, write: (tx: Db) => Promise<T>) {
    try {
      return await app.sql.begin(async (tx) => {
        await lockMenu(tx);
        const written = await write(tx);
        await insertEvent(tx, { type: "menu.changed", subject_id: id, data: { category_id: id } });
        return written;
      });
    } catch (error) {
      if (violatedConstraint(error) === "categories_name_is_taken_once")
        throw new ApiError("name_taken", "Another category has this name");
      throw error;
    }
  }
};

const trimmed = <T extends { name?: string }>(fields: T): T =>
  fields.name === undefined ? fields : { ...fields, name: fields.name.trim() };
