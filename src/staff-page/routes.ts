// The staff's page at /admin: plain modules, sent as they are written. What it does it does by the public API.
import { readdir, readFile } from "node:fs/promises";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { FastifyInstance } from "fastify";
import type { Settings } from "../config.ts";
import { negotiate, type Representations, represent } from "../http/cached-response.ts";
import { registerSecurityHeaders } from "../http/security-headers.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/**
 * What the modules import by its bare name. The service writes the path in its place: an import map would do it in the
 * browser, but may only stand inline, which the page's policy forbids.
 */
const packages: Record<string, string> = {
  preact: "/admin/vendor/preact.js",
  "preact/hooks": "/admin/vendor/preact-hooks.js",
  htm: "/admin/vendor/htm.js",
};
const bareImport = /(\bfrom\s*)"(preact|preact\/hooks|htm)"/g;

/** Serves the page: at /admin, with its files below. Two routes, so that metrics don't count each file by itself. */
export async function staffPageRoutes(app: FastifyInstance) {
  // A product's picture may be anywhere on the web; one that is about to be uploaded is a blob.
  await registerSecurityHeaders(app, { imgSrc: ["https:", "blob:"] });
  const files = new Map(
    (await listFiles()).map(([path, file]) => [path, openRepresentations(file, app.settings)]),
  );

  for (const route of ["/admin", "/admin/*"])
    app.get(route, async ({ headers, params }, reply) => {
      const { "*": name } = params as { "*"?: string };
      const path = name === undefined ? "/admin" : `/admin/${name}`;
      const all = await files.get(path)?.();
      if (!all) return reply.callNotFound();
      // Kept by the browser, and asked for each time: a new version shows at once.
      const bytes = negotiate(all, headers, reply);
      if (!bytes) return reply.code(304).send();
      return reply.type(types[extname(path)] ?? types[".html"]!).send(bytes);
    });
}

/** Gives a file of the page as it is sent; read once, or, while it is being worked on, each time. */
function openRepresentations(file: string, { production, apiPrefix, currency }: Settings) {
  const read = async () => {
    const text = await readFile(file, "utf8");
    if (file.endsWith(".html"))
      return represent(text.replace("{{api_prefix}}", apiPrefix).replace("{{currency}}", currency));
    return represent(text.replace(bareImport, (_, from, name) => `${from}"${packages[name]}"`));
  };
  let kept: Promise<Representations> | undefined;
  return () => {
    if (!production) return read();
    kept ??= read();
    return kept;
  };
}

/** Every file of the page, by the path that it is served at. */
async function listFiles(): Promise<[path: string, file: string][]> {
  const names = await readdir(folder, { recursive: true });
  const own = names.filter((name) => extname(name) in types);
  return [
    ...own.map((name): [string, string] => [
      name === "index.html" ? "/admin" : `/admin/${name.replaceAll("\\", "/")}`,
      `${folder}${name}`,
    ]),
    ...Object.entries(packages).map(([name, path]): [string, string] => [
      path,
      fileURLToPath(import.meta.resolve(name)),
    ]),
  ];
}
