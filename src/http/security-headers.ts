// Security headers of HTML pages: they load files of this service only, and no page may frame them.
import helmet from "@fastify/helmet";
import type { FastifyInstance } from "fastify";

const baseDirectives: Record<string, string[]> = {
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

export async function registerSecurityHeaders(pages: FastifyInstance, more: Record<string, string[]> = {}) {
  const directives = { ...baseDirectives };
  for (const [name, sources] of Object.entries(more))
    directives[name] = [...(baseDirectives[name] ?? []), ...sources];
  await pages.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives },
    frameguard: { action: "deny" },
    referrerPolicy: { policy: "same-origin" },
    // TLS ends at the proxy, which decides on this header.
    strictTransportSecurity: false,
  });
}
