// The staff's web page at /admin: plain modules, sent as they are written. The page works by the public API.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { matchesIfNoneMatch } from "../http/cached-response.ts";
import { registerSecurityHeaders } from "../http/security-headers.ts";
import { registerFileErrors } from "../http/static-files.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
/** The folders of the packages that the modules import. The page's import map names their files. */
const packages = ["preact", "preact/hooks", "htm"].map((name) =>
  dirname(fileURLToPath(import.meta.resolve(name))),
);

export async function staffPageRoutes(app: FastifyInstance) {
  const { apiPrefix, currency } = app.settings;
  const template = await readFile(`${folder}index.html`, "utf8");
  const page = template.replace("{{api_prefix}}", apiPrefix).replace("{{currency}}", currency);
  const etag = `"${sha256(page)}"`;
  const importMap = /<script type="importmap">(.*?)<\/script>/s.exec(page)![1]!;

  registerFileErrors(app);
  await registerSecurityHeaders(app, {
    // Browsers read an import map only inline. Its hash allows this one alone.
    scriptSrc: [`'sha256-${sha256(importMap)}'`],
    // Product pictures may be on any site; a picture to be uploaded is a blob.
    imgSrc: ["https:", "blob:"],
  });
  await app.register(fastifyStatic, {
    root: [folder, ...packages],
    prefix: "/admin/",
    index: false,
    acceptRanges: false,
    allowedPath: (path) => /\.(js|mjs|css|svg)$/.test(path),
  });
  app.get("/admin", { schema: { hide: true } }, async ({ headers }, reply) => {
    reply.header("etag", etag).header("cache-control", "no-cache");
    if (matchesIfNoneMatch([etag], headers["if-none-match"])) return reply.code(304).send();
    return reply.type("text/html; charset=utf-8").send(page);
  });
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("base64");
