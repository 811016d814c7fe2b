import cors from "@fastify/cors";
import type { FastifyInstance } from "fastify";

/** Lets the scripts of CORS_ORIGINS call the API; registers nothing without such origins. */
export async function registerCors(app: FastifyInstance) {
  const { corsOrigins } = app.settings;
  if (corsOrigins.length === 0) return;
  await app.register(cors, {
    origin: corsOrigins,
    methods: ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"],
    exposedHeaders: ["etag", "location", "retry-after", "x-request-id", "idempotent-replayed"],
    // The plugin's own rejection of OPTIONS without an Origin is no problem+json.
    strictPreflight: false,
  });
}
