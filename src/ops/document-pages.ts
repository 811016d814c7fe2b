// The OpenAPI document, to be read and tried in a browser.
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { guardPages } from "./pages.ts";

export async function documentPages(app: FastifyInstance) {
  await guardPages(app);
  await app.register(swaggerUi, { routePrefix: "/docs" });
}
