// The OpenAPI document in a browser: to be tried at /docs, to be read at /redoc. Nothing comes from elsewhere.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { version } from "../config.ts";
import { registerSecurityHeaders } from "../http/security-headers.ts";
import { describeApi } from "./document.ts";

const redocScript = fileURLToPath(import.meta.resolve("redoc/bundles/redoc.standalone.js"));
/** A picture that ReDoc would have every reader load from its makers. */
const foreignLogo = "https://cdn.redoc.ly/redoc/logo-mini.svg";

const redocPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ristretto API</title>
<link rel="icon" href="data:,">
</head>
<body style="margin: 0">
<redoc spec-url="/docs/json"></redoc>
<script src="/redoc/redoc.js"></script>
</body>
</html>
`;

/** Registers the document, Swagger UI at /docs and ReDoc at /redoc. */
export async function registerDocs(app: FastifyInstance) {
  await describeApi(app, version);
  await app.register(async (docs) => {
    await registerSecurityHeaders(docs);
    // Without the bar on top, whose logo has its style inline.
    await docs.register(swaggerUi, { routePrefix: "/docs", uiConfig: { layout: "BaseLayout" } });
  });
  await app.register(async (redoc) => {
    // ReDoc writes its styles into the page, and searches in a worker that it makes of a blob.
    await registerSecurityHeaders(redoc, { styleSrc: ["'unsafe-inline'"], workerSrc: ["blob:"] });
    const hidden = { schema: { hide: true } };
    redoc.get("/redoc", hidden, async (_request, reply) =>
      reply.type("text/html; charset=utf-8").send(redocPage),
    );
    redoc.get("/redoc/redoc.js", hidden, async (_request, reply) => {
      const script = await readFile(redocScript, "utf8");
      reply.type("text/javascript; charset=utf-8").header("cache-control", "public, max-age=3600");
      return reply.send(script.replaceAll(foreignLogo, "data:,"));
    });
  });
}
