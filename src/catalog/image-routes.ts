// Pictures of products: sent as they are, named by the service, never changed under a name.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireManager } from "../auth/guards.ts";
import { newId } from "../db/ids.ts";
import { matchesIfNoneMatch } from "../http/cached-response.ts";
import { ApiError, notFound } from "../http/errors.ts";
import { Id, text } from "../http/schemas.ts";
import { validatorCompiler } from "../http/validation.ts";
import { findImage, imageUrl } from "./image-queries.ts";
import { type ImageStore, imageTypes, kindOf, maxImageBytes } from "./images.ts";
import { forgetAfterWrites, type Menu } from "./menu-cache.ts";
import { changeImage, versionTag } from "./product-edit.ts";
import { findProduct } from "./queries.ts";

const Picture = { schema: { type: "string", format: "binary" } };
const pictures = Object.fromEntries(imageTypes.map((type) => [type, Picture]));

const UploadedImage = Type.Object({ image_url: Type.String() }, { title: "UploadedImage" });

/** At the root: `image_url` is a path that does not change with the API's prefix. */
export const imageRoute: FastifyPluginAsyncTypebox<{ store: ImageStore | undefined }> = async (
  app,
  { store },
) => {
  app.addHook("onClose", async () => store?.close());

  app.get(
    "/images/:name",
    {
      config: { errorCodes: ["not_found"], responseHeaders: ["ETag"] },
      schema: {
        operationId: "readImage",
        tags: ["catalog"],
        summary: "An uploaded picture",
        description: "A name never gets another picture: it may be kept for ever.",
        params: Type.Object({ name: text(100) }),
        response: { 200: { content: pictures }, 304: { type: "null", description: "The client has it" } },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const image = await findImage(app.sql, name);
      const etag = `"${name}"`;
      const known = matchesIfNoneMatch([etag], request.headers["if-none-match"]);
      const bytes = known ? undefined : (image?.bytes ?? (image && (await store?.read(name))));
      if (!image || !(known || bytes)) throw notFound("Image");
      reply
        .header("etag", etag)
        .header("cache-control", "public, max-age=31536000, immutable")
        .header("x-content-type-options", "nosniff");
      if (known) return reply.code(304).send();
      return reply.type(image.content_type).send(bytes);
    },
  );
};

export const imageAdminRoutes: FastifyPluginAsyncTypebox<{
  menu: Menu;
  store: ImageStore | undefined;
}> = async (app, { menu, store }) => {
  forgetAfterWrites(app, menu);
  app.addContentTypeParser(imageTypes, { parseAs: "buffer" }, (_request, body, done) => done(null, body));

  app.put(
    "/admin/products/:product_id/image",
    {
      onRequest: requireManager,
      bodyLimit: maxImageBytes,
      config: { errorCodes: ["not_found"], responseHeaders: ["ETag"] },
      // The body is bytes, which its content judges, below.
      validatorCompiler: (route) =>
        route.httpPart === "body" ? () => true : validatorCompiler(route as never),
      schema: {
        operationId: "uploadImage",
        tags: ["catalog admin"],
        summary: "Make a picture the product's; the one before it is removed",
        description: "The body is the picture itself, PNG, JPEG or WebP by its content, at most 5 MiB.",
        params: Type.Object({ product_id: Id }),
        body: { content: pictures },
        response: { 200: UploadedImage },
      },
    },
    async (request, reply) => {
      const { product_id } = request.params;
      const body: unknown = request.body;
      const kind = Buffer.isBuffer(body) ? kindOf(body) : undefined;
      if (!kind) throw new ApiError("unsupported_media_type", "Expected a picture: PNG, JPEG or WebP");
      const bytes = body as Buffer;
      const image = { name: `${newId()}.${kind.extension}`, content_type: kind.type, bytes };

      if (store) {
        // Not in a transaction, which would hold the menu while S3 thinks.
        const product = await findProduct(app.sql, product_id);
        if (!product || product.archived_at) throw notFound("Product");
        await store.write(image.name, image.content_type, bytes);
      }
      try {
        const product = await changeImage(app.sql, product_id, store ? { ...image, bytes: null } : image);
        reply.header("etag", versionTag(product));
      } catch (error) {
        // Refused: nobody will ever ask for it. After any other error the row may have been committed all the same.
        if (store && error instanceof ApiError) await store.remove(image.name);
        throw error;
      }
      return { image_url: imageUrl(image.name) };
    },
  );
};
