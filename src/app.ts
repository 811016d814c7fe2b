import cors from "@fastify/cors";
import rateLimit from "@fastify/rate-limit";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import { v7 as uuidv7 } from "uuid";
import { authRoutes } from "./auth/routes.ts";
import { registerTokens } from "./auth/tokens.ts";
import { cartRoutes } from "./carts/routes.ts";
import { Cart, CartItem, CartProblem } from "./carts/schemas.ts";
import { catalogAdminRoutes } from "./catalog/admin-routes.ts";
import { catalogRoutes } from "./catalog/routes.ts";
import { Product } from "./catalog/schemas.ts";
import { type Settings, version } from "./config.ts";
import type { Pool } from "./db.ts";
import { ApiError, refuseMalformedHttp, sendProblem, shapeErrors } from "./errors.ts";
import { openLive } from "./events/live.ts";
import { eventRoutes } from "./events/routes.ts";
import { notificationRoutes } from "./notifications/routes.ts";
import { healthRoutes } from "./ops/health.ts";
import { describeApi } from "./ops/openapi.ts";
import { rootRoute } from "./ops/root.ts";
import { customerOrderRoutes } from "./orders/customer-routes.ts";
import type { Counter } from "./orders/place.ts";
import { orderRoutes } from "./orders/routes.ts";
import { Order } from "./orders/schemas.ts";
import { paymentRoutes } from "./payments/routes.ts";
import { strictValidator } from "./validation.ts";

declare module "fastify" {
  interface FastifyInstance {
    sql: Pool;
    settings: Settings;
  }
}

export interface Shop {
  settings: Settings;
  sql: Pool;
  counter: Counter;
  log: FastifyBaseLogger;
}

/** Import and images have their own. */
const bodyLimitBytes = 64 * 1024;

/** The whole service as one function: the map of the API. Gives an app that isn't listening yet. */
export async function buildApp({ settings, sql, counter, log }: Shop) {
  const app = Fastify({
    loggerInstance: log,
    bodyLimit: bodyLimitBytes,
    trustProxy: (_address, hop) => hop < settings.trustProxy,
    requestIdHeader: false,
    // Refused below, as everything is; Node's own refusal has no body.
    http: { requireHostHeader: false },
    // What still comes in while the others are finished is answered too, and not in Fastify's own words.
    return503OnClosing: false,
    // As a factory: a compiler that is set would be replaced in every plugin that adds a schema.
    schemaController: { compilersFactory: { buildValidator: () => strictValidator as never } },
    // One line for a request, when it is answered: below.
    logController: new LogController({ requestIdLogLabel: "request_id", disableRequestLogging: true }),
    // An id that is far too long is a bad id, 400, not an unknown route.
    routerOptions: { maxParamLength: 2_000 },
    genReqId: ({ headers }) => readRequestId(headers["x-request-id"]) ?? uuidv7(),
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply),
    clientErrorHandler: refuseMalformedHttp,
  });
  app.decorate("sql", sql).decorate("settings", settings);
  app.addHook("onRequest", async (request, reply) => void reply.header("x-request-id", request.id));
  app.addHook("onRequest", async ({ headers, raw }) => {
    if (headers.host === undefined && raw.httpVersion === "1.1")
      throw new ApiError("validation_failed", "The request has no Host");
  });
  // An expectation that nobody meets is ignored; Node's own refusal has no body.
  app.server.on("checkExpectation", app.routing);
  app.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions, url, user } = request;
    const ms = Math.round(reply.elapsedTime);
    const line = { method, route: routeOptions.url ?? url, status: reply.statusCode, ms, user_id: user?.id };
    request.log.info(line, "request");
  });
  readJson(app);
  shapeErrors(app);

  await app.register(cors, { origin: settings.corsOrigins, methods, exposedHeaders });
  if (settings.rateLimitMax > 0) {
    await app.register(rateLimit, { global: false, max: settings.rateLimitMax, timeWindow: "1 minute" });
    // Before every route's guard, and before the answer to an unknown route: all of them count.
    app.addHook("onRequest", app.rateLimit());
  }
  await registerTokens(app, settings.jwtSecrets, settings.accessTokenMinutes);
  await describeApi(app, version);

  // Those that several rooms answer with.
  for (const entity of [Product, Order, Cart, CartItem, CartProblem]) app.addSchema(entity);
  const prefix = settings.apiPrefix;
  await app.register(rootRoute);
  await app.register(healthRoutes, { prefix });
  await app.register(authRoutes, { prefix });
  await app.register(catalogRoutes, { prefix });
  await app.register(catalogAdminRoutes, { prefix });
  await app.register(orderRoutes, { prefix, counter });
  await app.register(cartRoutes, { prefix });
  await app.register(customerOrderRoutes, { prefix, counter });
  await app.register(paymentRoutes, { prefix });
  await app.register(notificationRoutes, { prefix });
  await app.register(eventRoutes, { prefix, live: openLive(sql, log) });
  return app;
}

/** JSON alone, unless a route says otherwise; no body at all is no body, whatever its Content-Type says. */
function readJson(app: FastifyInstance) {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeContentTypeParser(["text/plain", "application/json"]);
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) =>
    body === "" ? done(null, undefined) : parse(request, body as string, done),
  );
}

/** A caller's request id, if it is one that fits a log line: 1 to 64 visible ASCII characters. */
function readRequestId(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" && /^[\x21-\x7e]{1,64}$/.test(header) ? header : undefined;
}

const methods = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"];

/** What a browser's script may read of an answer from another origin. */
const exposedHeaders = ["etag", "location", "retry-after", "x-request-id", "idempotent-replayed"];
