// What a browser may do with our pages: what comes from here alone, framed by nobody.
import helmet from "@fastify/helmet";
import type { FastifyInstance } from "fastify";

/**
 * Registers, within a plugin of pages, the headers that pages need. The API's answers have no use for them, and GET
 * /menu no time. `pictures` names where pictures may come from beside this service.
 */
export async function guardPages(pages: FastifyInstance, pictures: string[] = []) {
  await pages.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        // Swagger UI draws its arrows from data.
        imgSrc: ["'self'", "data:", ...pictures],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    frameguard: { action: "deny" },
    referrerPolicy: { policy: "same-origin" },
    // TLS ends in front of the service: whoever ends it says whether there is no way back.
    strictTransportSecurity: false,
  });
}
