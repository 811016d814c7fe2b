// The office's side of the products. Nothing is deleted: what is left out or removed is archived.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireManager, requireStaff } from "../auth/guards.ts";
import { invalidField, notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id, text } from "../http/schemas.ts";
import { forgetAfterWrites, type Menu } from "./menu-cache.ts";
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

export const productRoutes: FastifyPluginAsyncTypebox<{ menu: Menu }> = async (app, { menu }) => {
  forgetAfterWrites(app, menu);

  app.get(
    "/admin/products",
    {
      onRequest: requireManager,
      schema: {
        operationId: "listProducts",
        tags,
        summary: "List products, archived ones apart",
        querystring: Type.Object({
          ...pageQuery,
          archived: Type.Optional(Type.Boolean({ description: "Only the archived ones; default false" })),
          category_id: Type.Optional(Id),
          q: Type.Optional(text(100, { description: "Part of the name" })),
        }),
        response: { 200: Page(Product) },
      },
    },
    async (request) => {
      const { archived = false, category_id, q } = request.query;
      return paginate(request.query, (page) => listProducts(app.sql, { archived, category_id, q }, page));
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
        summary: "Add a product with its variations and option groups",
        body: ProductInput,
        response: { 201: Product },
      },
    },
    async (request, reply) => {
      const product = await createProduct(app.sql, request.body);
      const location = `${app.settings.apiPrefix}/admin/products/${product.id}`;
      return reply.code(201).header("location", location).header("etag", versionTag(product)).send(product);
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
        summary: "Read a product, an archived one too",
        description: "The ETag is the product's version, for If-Match.",
        params,
        response: { 200: Product },
      },
    },
    async (request, reply) => {
      const product = await findProduct(app.sql, request.params.product_id);
      if (!product) throw notFound("Product");
      reply.header("etag", versionTag(product));
      return product;
    },
  );

  app.patch(
    "/admin/products/:product_id",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found", "name_taken", "stale_version"], responseHeaders: ["ETag"] },
      schema: {
        operationId: "changeProduct",
        tags,
        summary: "Change what is named; a nested list that is sent replaces the one there is",
        params,
        headers,
        body: ProductPatch,
        response: { 200: Product },
      },
    },
    async (request, reply) => {
      const versions = readIfMatch(request.headers["if-match"]);
      const product = await changeProduct(app.sql, request.params.product_id, request.body, versions);
      reply.header("etag", versionTag(product));
      return product;
    },
  );

  app.put(
    "/admin/products/:product_id",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found", "name_taken", "stale_version"], responseHeaders: ["ETag"] },
      schema: {
        operationId: "replaceProduct",
        tags,
        summary: "Replace a product whole; rows keep their ids by name",
        params,
        headers,
        body: ProductReplacement,
        response: { 200: Product },
      },
    },
    async (request, reply) => {
      const versions = readIfMatch(request.headers["if-match"]);
      const product = await replaceProduct(app.sql, request.params.product_id, request.body, versions);
      reply.header("etag", versionTag(product));
      return product;
    },
  );

  app.put(
    "/admin/products/:product_id/availability",
    {
      onRequest: requireStaff,
      config: { errorCodes: ["not_found"], responseHeaders: ["ETag"] },
      schema: {
        operationId: "changeAvailability",
        tags,
        summary: "Say that a product, or one variation or option of it, is sold out or available again",
        description: "With `until` it comes back by itself then.",
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
      if (until && Date.parse(until) <= Date.now()) throw invalidField("/until", "Expected a time to come");
      const soldOutUntil = available ? null : (until ?? "infinity");
      const change = { variation_id, option_id, soldOutUntil };
      const product = await changeAvailability(app.sql, request.params.product_id, change);
      reply.header("etag", versionTag(product));
      return product;
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
        summary: "Take a product off the menu; its history stays readable",
        params,
        headers,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await removeProduct(app.sql, request.params.product_id, readIfMatch(request.headers["if-match"]));
      return reply.code(204).send(null);
    },
  );
};
