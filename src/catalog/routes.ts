import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { Counter } from "prom-client";
import { negotiate } from "../http/cached-response.ts";
import { notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id } from "../http/schemas.ts";
import {
  findCategory,
  findProductInCategory,
  listCategories,
  listProductsInCategory,
} from "./category-queries.ts";
import type { MenuCache } from "./menu-cache.ts";
import { Category, Menu, MenuProduct } from "./schemas.ts";

const productViews = new Counter({
  name: "product_views_total",
  help: "Public reads of a single product",
});

const tags = ["catalog"];
const params = Type.Object({ category_id: Id });

export const catalogRoutes: FastifyPluginAsyncTypebox<{ menu: MenuCache }> = async (app, { menu }) => {
  app.get(
    "/menu",
    {
      config: { responseHeaders: ["ETag"] },
      schema: {
        operationId: "readMenu",
        tags,
        summary: "Read the menu: categories and products with their variations and options",
        description: "Send the ETag as If-None-Match to get 304 until the menu changes.",
        response: { 200: Menu, 304: { type: "null", description: "The menu has not changed" } },
      },
    },
    async ({ headers }, reply) => {
      const body = negotiate(await menu.get(), headers, reply);
      if (body) reply.type("application/json; charset=utf-8");
      return reply.send(body as never);
    },
  );

  app.get(
    "/categories",
    {
      schema: {
        operationId: "listCategories",
        tags,
        summary: "List categories in the order of the menu",
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
        summary: "Read a category",
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
        summary: "List the products of a category, newest first",
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
        summary: "Read a product of a category",
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
