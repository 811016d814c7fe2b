// Products for managers, and availability for baristas. A product is never deleted: it is archived.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { FastifyReply } from "fastify";
import { requireManager, requireStaff } from "../auth/guards.ts";
import { invalidField, notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id, text } from "../http/schemas.ts";
import { invalidateAfterWrites, type MenuCache } from "./menu-cache.ts";
import {
  changeAvailability,
  changeProduct,
  createProduct,
  readIfMatch,
  removeProduct,
  replaceProduct,
  versionTag,
} from "./product-edit.ts";
import { findProduct, listProducts } from "./queries.ts";
import { AvailabilityChange, Product, ProductInput, ProductPatch, ProductReplacement } from "./schemas.ts";

const tags = ["catalog admin"];
const params = Type.Object({ product_id: Id });
const headers = Type.Object({
  "if-match": Type.Optional(Type.String({ description: "The ETag of the version that was read" })),
});
const edit = {
  onRequest: requireManager,
  config: { errorCodes: ["not_found", "name_taken", "stale_version"], responseHeaders: ["ETag"] },
} as const;

function withETag(reply: FastifyReply, product: Product): Product {
  reply.header("etag", versionTag(product));
  return product;
}

export const productRoutes: FastifyPluginAsyncTypebox<{ menu: MenuCache }> = async (app, { menu }) => {
  const { sql, settings } = app;
  invalidateAfterWrites(app, menu);

  app.get(
    "/admin/products",
    {
      onRequest: requireManager,
      schema: {
        operationId: "listProducts",
        tags,
        summary: "List products: those on the menu, or the archived ones",
        querystring: Type.Object({
          ...pageQuery,
          archived: Type.Optional(Type.Boolean({ description: "Only archived products; default false" })),
          category_id: Type.Optional(Id),
          q: Type.Optional(text(100, { description: "Part of the name" })),
        }),
        response: { 200: Page(Product) },
      },
    },
    async (request) => {
      const { archived = false, category_id, q } = request.query;
      return paginate(request.query, (page) => listProducts(sql, { archived, category_id, q }, page));
    },
  );

  app.post(
    "/admin/products",
    {
      onRequest: requireManager,
      config: { errorCodes: ["name_taken"], responseHeaders: ["ETag", "Location"] },
      schema: {
        operationId: "createProduct",
        tags,
        summary: "Create a product with its variations and option groups",
        body: ProductInput,
        response: { 201: Product },
      },
    },
    async (request, reply) => {
      const product = await createProduct(sql, request.body);
      reply.code(201).header("location", `${settings.apiPrefix}/admin/products/${product.id}`);
      return withETag(reply, product);
    },
  );

  app.get(
    "/admin/products/:product_id",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found"], responseHeaders: ["ETag"] },
      schema: {
        operationId: "readProduct",
        tags,
        summary: "Read a product, archived or not",
        description: "The ETag is the product's version. Send it as If-Match with a change.",
        params,
        response: { 200: Product },
      },
    },
    async (request, reply) => {
      const product = await findProduct(sql, request.params.product_id);
      if (!product) throw notFound("Product");
      return withETag(reply, product);
    },
  );

  app.patch(
    "/admin/products/:product_id",
    {
      ...edit,
      schema: {
        operationId: "changeProduct",
        tags,
        summary: "Change the given fields of a product; a given nested list replaces the stored one",
        params,
        headers,
        body: ProductPatch,
        response: { 200: Product },
      },
    },
    async ({ params: { product_id }, body, headers }, reply) =>
      withETag(reply, await changeProduct(sql, product_id, body, readIfMatch(headers))),
  );

  app.put(
    "/admin/products/:product_id",
    {
      ...edit,
      schema: {
        operationId: "replaceProduct",
        tags,
        summary: "Replace a product; nested rows of the same name keep their ids",
        params,
        headers,
        body: ProductReplacement,
        response: { 200: Product },
      },
    },
    async ({ params: { product_id }, body, headers }, reply) =>
      withETag(reply, await replaceProduct(sql, product_id, body, readIfMatch(headers))),
  );

  app.put(
    "/admin/products/:product_id/availability",
    {
      onRequest: requireStaff,
      config: { errorCodes: ["not_found"], responseHeaders: ["ETag"] },
      schema: {
        operationId: "changeAvailability",
        tags,
        summary: "Mark a product, a variation or an option as sold out or available",
        description: "With `until`, it becomes available again at that time.",
        params,
        body: AvailabilityChange,
        response: { 200: Product },
      },
    },
    async (request, reply) => {
      const { available, until, variation_id, option_id } = request.body;
      if (variation_id && option_id)
        throw invalidField("/option_id", "Expected a variation or an option, not both");
      if (until && available) throw invalidField("/until", "Expected only with available: false");
      if (until && Date.parse(until) <= Date.now()) throw invalidField("/until", "Expected a future time");
      const soldOutUntil = available ? null : (until ?? "infinity");
      const change = { variation_id, option_id, soldOutUntil };
      return withETag(reply, await changeAvailability(sql, request.params.product_id, change));
    },
  );

  app.delete(
    "/admin/products/:product_id",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found", "stale_version"] },
      schema: {
        operationId: "archiveProduct",
        tags,
        summary: "Archive a product: it leaves the menu, and its orders stay readable",
        params,
        headers,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await removeProduct(sql, request.params.product_id, readIfMatch(request.headers));
      return reply.code(204).send(null);
    },
  );
};
