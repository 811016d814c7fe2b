import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireManager } from "../auth/guards.ts";
import { ApiError } from "../http/errors.ts";
import { validatorCompiler } from "../http/validation.ts";
import { writeCsv } from "./csv.ts";
import { importProducts, maxImportBytes } from "./import.ts";
import { listProductsForExport } from "./import-queries.ts";
import { invalidateAfterWrites, type MenuCache } from "./menu-cache.ts";
import { ImportResult, ImportRow } from "./schemas.ts";

const tags = ["catalog admin"];
const Csv = Type.String({ description: "name,category,description,base_price_cents,image_url,variations" });
const utf8 = new TextDecoder("utf-8", { fatal: true });

export const importRoutes: FastifyPluginAsyncTypebox<{ menu: MenuCache }> = async (app, { menu }) => {
  invalidateAfterWrites(app, menu);
  app.addContentTypeParser("text/csv", { parseAs: "buffer" }, (_request, body, done) => {
    try {
      done(null, utf8.decode(body as Buffer));
    } catch {
      done(new ApiError("validation_failed", "The file is not UTF-8"));
    }
  });

  app.post(
    "/admin/products/import",
    {
      onRequest: requireManager,
      bodyLimit: maxImportBytes,
      config: { errorCodes: ["import_failed", "name_taken"] },
      // The import validates each row and names every bad one.
      validatorCompiler: (route) => {
        if (route.contentType === "text/csv") return () => true;
        const schema = route.httpPart === "body" ? Type.Array(Type.Unknown()) : route.schema;
        return validatorCompiler({ ...route, schema } as never);
      },
      schema: {
        operationId: "importProducts",
        tags,
        summary: "Import products by name: creates or updates all rows, or none",
        description:
          "CSV with the header name,category,description,base_price_cents,image_url,variations. A cell of variations is " +
          "`Small:-50|Large:+80`. Or a JSON array of such rows, with variations as [{ name, price_change_cents }]. An " +
          "empty cell keeps the stored value. At most 1,000 rows and 2 MiB. With `dry_run`, nothing is written.",
        querystring: Type.Object({ dry_run: Type.Optional(Type.Boolean()) }),
        body: {
          content: {
            "text/csv": { schema: Csv },
            "application/json": { schema: Type.Array(ImportRow) },
          },
        },
        response: { 200: ImportResult },
      },
    },
    async (request) => {
      const body: unknown = request.body;
      if (typeof body !== "string" && !Array.isArray(body))
        throw new ApiError("unsupported_media_type", "Expected text/csv, or a JSON array");
      return importProducts(app.sql, body, request.query.dry_run ?? false);
    },
  );

  app.get(
    "/admin/products/export",
    {
      onRequest: requireManager,
      schema: {
        operationId: "exportProducts",
        tags,
        summary: "Export all products on the menu as CSV",
        description:
          "An apostrophe precedes each cell that a spreadsheet would run as a formula. The import removes it.",
        response: { 200: { content: { "text/csv": { schema: Csv } } } },
      },
    },
    async (_request, reply) => {
      const file = writeCsv(await listProductsForExport(app.sql));
      reply.header("content-disposition", 'attachment; filename="products.csv"');
      return reply.type("text/csv; charset=utf-8").send(file);
    },
  );
};
