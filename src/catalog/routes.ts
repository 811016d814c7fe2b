// What everybody may see. Public, and the same for all.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { Counter } from "prom-client";
import { negotiate, type Variants } from "../http/cached-response.ts";
import { notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id } from "../http/schemas.ts";
import {
  findCategory,
  findProductInCategory,
  listCategories,
  listProductsInCategory,
} from "./category-queries.ts";
import type { Menu as OpenMenu } from "./menu-cache.ts";
import { Category, Menu, MenuProduct } from "./schemas.ts";

const productViews = new Counter({
  name: "product_views_total",
  help: "Public reads of a single product",
});

const tags = ["catalog"];
const params = Type.Object({ category_id: Id });

export const catalogRoutes: FastifyPluginAsyncTypebox<{ menu: OpenMenu }> = async (app, { menu }) => {
  app.get(
    "/menu",
    {
      config: { responseHeaders: ["ETag"] },
      schema: {
        operationId: "readMenu",
        tags,
        summary: "The menu: categories, and products with their variations and options",
        description: "Send the ETag back as If-None-Match: 304 while nothing has changed.",
        response: { 200: Menu, 304: { type: "null", description: "Nothing has changed" } },
      },
    },
    ({ headers }, reply) => {
      const send = (snapshot: Variants) => {
        const bytes = negotiate(snapshot, headers, reply);
        if (bytes) reply.type("application/json; charset=utf-8");
        reply.send(bytes as never);
      };
      // Most often nobody has to be waited for: a promise less at each request.
      const kept = menu.kept();
      if (kept) send(kept);
      else menu.current().then(send, (error) => reply.send(error));
    },
  );

  app.get(
    "/categories",
    {
      schema: {
        operationId: "listCategories",
        tags,
        summary: "Categories, in the order of the menu",
        querystring: Type.Object(pageQuery),
        response: { 200: Page(Category) },
      },
    },
    async (request) => paginate(request.query, (page) => listCategories(app.sql, page)),
  );

  app.get(
    "/categories/:category_id",
    {
      config: { errorCodes: ["not_found"] },
      schema: {
        operationId: "readCategory",
        tags,
        summary: "A category",
        params,
        response: { 200: Category },
      },
    },
    async (request) => {
      const category = await findCategory(app.sql, request.params.category_id);
      if (!category) throw notFound("Category");
      return category;
    },
  );

  app.get(
    "/categories/:category_id/products",
    {
      config: { errorCodes: ["not_found"] },
      schema: {
        operationId: "listProductsInCategory",
        tags,
        summary: "A category's products, newest first",
        params,
        querystring: Type.Object(pageQuery),
        response: { 200: Page(MenuProduct) },
      },
    },
    async (request) => {
      const { category_id } = request.params;
      return paginate(request.query, async (page) => {
        if (!(await findCategory(app.sql, category_id))) throw notFound("Category");
        return listProductsInCategory(app.sql, category_id, page);
      });
    },
  );

  app.get(
    "/categories/:category_id/products/:product_id",
    {
      config: { errorCodes: ["not_found"] },
      schema: {
        operationId: "readProductInCategory",
        tags,
        summary: "A product of a category",
        params: Type.Object({ category_id: Id, product_id: Id }),
        response: { 200: MenuProduct },
      },
    },
    async (request) => {
      const { category_id, product_id } = request.params;
      const product = await findProductInCategory(app.sql, category_id, product_id);
      if (!product) throw notFound("Product");
      productViews.inc();
      return product;
    },
  );
};
