import type { FastifyInstance } from "fastify";
import { invalidField } from "./errors.ts";

/** Accepts only JSON, unless a route adds a parser. An empty body counts as no body, whatever its Content-Type. */
export function configureJsonParser(app: FastifyInstance) {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeContentTypeParser(["text/plain", "application/json"]);
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) =>
    body === ""
      ? done(null, undefined)
      : parse(request, body as string, (error, value) =>
          // Fastify takes null for a missing body.
          done(error ?? (value === null ? invalidField("", "Expected object") : null), value),
        ),
  );
}
