// An operation's error codes come from its guard, its inputs and its route's config.
import swagger from "@fastify/swagger";
import { OptionalKind, type TSchema } from "@sinclair/typebox";
import type { FastifyInstance, RouteOptions } from "fastify";
import type { Code, Guard } from "../http/errors.ts";
import { Problem } from "../http/schemas.ts";
import {
  type Document,
  declareErrors,
  declareSuccessHeaders,
  nameSchemas,
  operationsOf,
  removeCopies,
  shareParameters,
} from "./components.ts";
import { about, bearer, type ResponseHeader, tags } from "./text.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The error codes of this handler; those of its guard and schema are added. */
    errorCodes?: readonly Code[];
    responseHeaders?: readonly ResponseHeader[];
  }
}

interface Facts {
  optionalBody: boolean;
  errorCodes: Set<Code>;
  responseHeaders: readonly ResponseHeader[];
}

export async function describeApi(app: FastifyInstance, version: string) {
  const facts = new Map<string, Facts>();
  const schemas = nameSchemas();
  schemas.collect(Problem);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Ristretto", version, description: about, license: { name: "MIT", identifier: "MIT" } },
      servers: [{ url: "/", description: "This service" }],
      tags,
      components: { securitySchemes: { bearer } },
    },
    transform: ({ schema, url, route }) => {
      if (schema?.hide || !schema) return { schema: { hide: true }, url };
      facts.set(schema.operationId!, {
        optionalBody: Boolean((schema.body as TSchema | undefined)?.[OptionalKind]),
        errorCodes: listErrorCodes(route),
        responseHeaders: route.config?.responseHeaders ?? [],
      });
      schemas.collect(schema);
      return { url, schema: { ...schema, security: guardOf(route) ? [{ bearer: [] }] : [] } };
    },
    transformObject: (made) => {
      if (!("openapiObject" in made)) return made.swaggerObject;
      const document = made.openapiObject as unknown as Document;
      document.paths = schemas.refer(document.paths);
      document.components.schemas = schemas.components();
      for (const operation of operationsOf(document)) {
        const { optionalBody, errorCodes, responseHeaders } = facts.get(operation.operationId)!;
        if (optionalBody) operation.requestBody!.required = false;
        removeCopies(operation);
        declareSuccessHeaders(document, operation, responseHeaders);
        declareErrors(document, operation, errorCodes);
      }
      shareParameters(document);
      return document as never;
    },
  });
}

/** Plugins add hooks of their own. */
const guardOf = ({ onRequest }: Pick<RouteOptions, "onRequest">) =>
  [onRequest].flat().find((hook): hook is typeof hook & Guard => hook !== undefined && "errorCodes" in hook);

function listErrorCodes(route: Pick<RouteOptions, "onRequest" | "schema" | "config">): Set<Code> {
  const { body, params, querystring, headers } = route.schema ?? {};
  return new Set<Code>([
    ...(guardOf(route)?.errorCodes ?? []),
    ...(body || params || querystring || headers ? (["validation_failed"] as const) : []),
    ...(querystring && "cursor" in (querystring as TSchema).properties ? (["invalid_cursor"] as const) : []),
    ...(body ? (["body_too_large", "unsupported_media_type"] as const) : []),
    ...(route.config?.errorCodes ?? []),
    ...(["rate_limited", "internal_error", "unavailable"] as const),
  ]);
}
