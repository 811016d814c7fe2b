// What a browser may do with our pages: what comes from here alone, framed by nobody.
import helmet from "@fastify/helmet";
import type { FastifyInstance } from "fastify";

const everyPage: Record<string, string[]> = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  // Swagger UI draws its arrows from data.
  imgSrc: ["'self'", "data:"],
  connectSrc: ["'self'"],
  formAction: ["'self'"],
  baseUri: ["'none'"],
  frameAncestors: ["'none'"],
};

/**
 * Registers, within a plugin of pages, the headers that pages need. The API's answers have no use for them, and GET
 * /menu no time. `more` is what these pages may do beside what every page may, by directive.
 */
export async function guardPages(pages: FastifyInstance, more: Record<string, string[]> = {}) {
  const directives = { ...everyPage };
  for (const [name, sources] of Object.entries(more))
    directives[name] = [...(everyPage[name] ?? []), ...sources];
  await pages.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives },
    frameguard: { action: "deny" },
    referrerPolicy: { policy: "same-origin" },
    // TLS ends in front of the service: whoever ends it says whether there is no way back.
    strictTransportSecurity: false,
  });
}
