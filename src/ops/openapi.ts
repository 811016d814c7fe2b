// The OpenAPI document, made from the very schemas that validate. What each operation refuses is made from what it
// is: its guard, its inputs, and the codes that its route names.
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { OptionalKind, type TSchema } from "@sinclair/typebox";
import type { FastifyInstance, RouteOptions } from "fastify";
import type { Guard } from "../auth/guards.ts";
import { type Code, codes } from "../errors.ts";
import { Problem } from "../schemas.ts";
import { guardPages } from "./pages.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The codes that this route's handler refuses with, beside those that follow from its guard and schema. */
    refuses?: readonly Code[];
  }
}

export async function describeApi(app: FastifyInstance, version: string) {
  app.addSchema(Problem);
  // Bodies that may be left out, which the plugin has no word for.
  const optionalBodies = new Set<string | undefined>();
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Ristretto",
        version,
        description: "The order service of a coffee shop. Money is in cents, times are RFC 3339 in UTC.",
        license: { name: "MIT", identifier: "MIT" },
      },
      servers: [{ url: "/", description: "This service" }],
      components: { securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) => String(json.$id ?? `schema${index}`),
    },
    transform: ({ schema, url, route }) => {
      if (schema?.hide || !schema) return { schema: { hide: true }, url };
      const guard = guardOf(route);
      if ((schema.body as TSchema | undefined)?.[OptionalKind]) optionalBodies.add(schema.operationId);
      return {
        url,
        schema: {
          ...schema,
          security: guard ? [{ bearer: [] }] : [],
          // What a route says of a status itself goes first: /health is no problem when it is not ready.
          response: { ...problemResponses(refusals(route)), ...(schema.response as object) },
        },
      };
    },
    transformObject: (document) => {
      if (!("openapiObject" in document)) return document.swaggerObject;
      const { openapiObject } = document;
      for (const path of Object.values(openapiObject.paths ?? {}))
        for (const operation of Object.values(path as Record<string, Operation>))
          if (optionalBodies.has(operation.operationId)) operation.requestBody!.required = false;
      return openapiObject;
    },
  });
  await app.register(async (pages) => {
    await guardPages(pages);
    await pages.register(swaggerUi, { routePrefix: "/docs" });
  });
}

interface Operation {
  operationId?: string;
  requestBody?: { required: boolean };
}

/** The guard among a route's hooks, of which plugins may add their own. */
const guardOf = ({ onRequest }: Pick<RouteOptions, "onRequest">) =>
  [onRequest].flat().find((hook): hook is typeof hook & Guard => hook !== undefined && "refuses" in hook);

/** Every code that a route may answer with. */
export function refusals(route: Pick<RouteOptions, "onRequest" | "schema" | "config">): Set<Code> {
  const { body, params, querystring, headers } = route.schema ?? {};
  return new Set<Code>([
    ...(guardOf(route)?.refuses ?? []),
    ...(body || params || querystring || headers ? (["validation_failed"] as const) : []),
    ...(body ? (["body_too_large", "unsupported_media_type"] as const) : []),
    ...(route.config?.refuses ?? []),
    ...(["rate_limited", "internal_error", "unavailable"] as const),
  ]);
}

function problemResponses(refused: Set<Code>) {
  const byStatus = new Map<number, Code[]>();
  for (const code of refused) byStatus.set(codes[code], [...(byStatus.get(codes[code]) ?? []), code]);
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      {
        description: list.map((code) => `\`${code}\``).join(", "),
        content: { "application/problem+json": { schema: { $ref: "Problem#" } } },
      },
    ]),
  );
}
