// The picture of a name never changes.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { requireManager } from "../auth/guards.ts";
import { newId } from "../db/ids.ts";
import type { Pool } from "../db/pool.ts";
import { matchesIfNoneMatch } from "../http/cached-response.ts";
import { ApiError, notFound } from "../http/errors.ts";
import { Id, text } from "../http/schemas.ts";
import { validatorCompiler } from "../http/validation.ts";
import { findImage, imageUrl } from "./image-queries.ts";
import { detectImageType, type ImageStore, imageTypes, maxImageBytes } from "./images.ts";
import { invalidateAfterWrites, type MenuCache } from "./menu-cache.ts";
import { changeImage, versionTag } from "./product-edit.ts";
import { findProduct } from "./queries.ts";

const Picture = { schema: { type: "string", format: "binary" } };
const pictures = Object.fromEntries(imageTypes.map((type) => [type, Picture]));

const UploadedImage = Type.Object({ image_url: Type.String() }, { title: "UploadedImage" });

/** Registered at the root, because `image_url` does not depend on the API's prefix. */
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
        summary: "Read an uploaded picture",
        description: "The picture of a name never changes. Clients may keep it forever.",
        params: Type.Object({ name: text(100) }),
        response: { 200: { content: pictures }, 304: { type: "null", description: "The client has it" } },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const image = await findImage(app.sql, name);
      const etag = `"${name}"`;
      const isCached = matchesIfNoneMatch([etag], request.headers["if-none-match"]);
      const bytes = isCached ? undefined : (image?.bytes ?? (image && (await store?.read(name))));
      if (!image || !(isCached || bytes)) throw notFound("Image");
      reply.header("etag", etag).header("cache-control", "public, max-age=31536000, immutable");
      if (isCached) return reply.code(304).send();
      return reply.type(image.content_type).send(bytes);
    },
  );
};

export const imageAdminRoutes: FastifyPluginAsyncTypebox<{
  menu: MenuCache;
  store: ImageStore | undefined;
}> = async (app, { menu, store }) => {
  invalidateAfterWrites(app, menu);
  app.addContentTypeParser(imageTypes, { parseAs: "buffer" }, (_request, body, done) => done(null, body));

  app.put(
    "/admin/products/:product_id/image",
    {
      onRequest: requireManager,
      bodyLimit: maxImageBytes,
      config: { errorCodes: ["not_found"], responseHeaders: ["ETag"] },
      validatorCompiler: (route) =>
        route.httpPart === "body" ? () => true : validatorCompiler(route as never),
      schema: {
        operationId: "uploadImage",
        tags: ["catalog admin"],
        summary: "Upload the picture of a product; the former one is removed",
        description: "The body is a PNG, JPEG or WebP file of at most 5 MiB. Its content decides the format.",
        params: Type.Object({ product_id: Id }),
        body: { content: pictures },
        response: { 200: UploadedImage },
      },
    },
    async (request, reply) => {
      const image = readImage(request.body);
      const { product_id } = request.params;
      const product = store
        ? await uploadToStore(app.sql, store, product_id, image)
        : await changeImage(app.sql, product_id, image);
      reply.header("etag", versionTag(product));
      return { image_url: imageUrl(image.name) };
    },
  );
};

function readImage(body: unknown) {
  const format = Buffer.isBuffer(body) ? detectImageType(body) : undefined;
  if (!format) throw new ApiError("unsupported_media_type", "Expected a picture: PNG, JPEG or WebP");
  return { name: `${newId()}.${format.extension}`, content_type: format.type, bytes: body as Buffer };
}

/** Writes the picture to S3 before the transaction, which would block other edits meanwhile. */
async function uploadToStore(
  sql: Pool,
  store: ImageStore,
  productId: string,
  image: ReturnType<typeof readImage>,
) {
  const existing = await findProduct(sql, productId);
  if (!existing || existing.archived_at) throw notFound("Product");
  await store.write(image.name, image.content_type, image.bytes);
  try {
    return await changeImage(sql, productId, { ...image, bytes: null });
  } catch (error) {
    // An ApiError means that nothing was committed. After other errors, such as a lost connection, the row may exist.
    if (error instanceof ApiError) await store.remove(image.name);
    throw error;
  }
}
