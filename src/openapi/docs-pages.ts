// The OpenAPI document in a browser: Swagger UI at /docs, ReDoc at /redoc. Both load files of this service only.
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { version } from "../config.ts";
import { registerSecurityHeaders } from "../http/security-headers.ts";
import { registerFileErrors } from "../http/static-files.ts";
import { describeApi } from "./document.ts";

const redocFolder = fileURLToPath(new URL("redoc", import.meta.url));

export async function registerDocs(app: FastifyInstance) {
  await describeApi(app, version);
  await app.register(async (docs) => {
    registerFileErrors(docs);
    await registerSecurityHeaders(docs);
    // BaseLayout has no top bar, whose logo has an inline style.
    await docs.register(swaggerUi, { routePrefix: "/docs", uiConfig: { layout: "BaseLayout" } });
  });
  await app.register(async (redoc) => {
    registerFileErrors(redoc);
    // ReDoc inserts style elements, and searches in a worker that it creates from a blob.
    await registerSecurityHeaders(redoc, { styleSrc: ["'unsafe-inline'"], workerSrc: ["blob:"] });
    await redoc.register(fastifyStatic, { root: redocFolder, prefix: "/redoc/", acceptRanges: false });
    redoc.get("/redoc", { schema: { hide: true } }, (_request, reply) => reply.sendFile("index.html"));
  });
}
