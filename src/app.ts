import { randomBytes } from "node:crypto";
import { maxHeaderSize } from "node:http";
import cors from "@fastify/cors";
import selectSerializers, {
  type Serializer,
  type SerializerFactory,
} from "@fastify/fast-json-stringify-compiler";
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  type onRequestHookHandler,
  type onResponseHookHandler,
} from "fastify";
import type { Redis } from "ioredis";
import { authRoutes } from "./auth/routes.ts";
import { sessionRoutes } from "./auth/session-routes.ts";
import { signUpRoutes } from "./auth/sign-up-routes.ts";
import { registerTokens } from "./auth/tokens.ts";
import { cartRoutes } from "./carts/routes.ts";
import { categoryRoutes } from "./catalog/category-routes.ts";
import { imageAdminRoutes, imageRoute } from "./catalog/image-routes.ts";
import { openImageStore } from "./catalog/images.ts";
import { importRoutes } from "./catalog/import-routes.ts";
import type { Menu } from "./catalog/menu-cache.ts";
import { productRoutes } from "./catalog/product-routes.ts";
import { catalogRoutes } from "./catalog/routes.ts";
import type { Counter } from "./checkout/place.ts";
import { type Settings, version } from "./config.ts";
import type { Pool } from "./db/pool.ts";
import {
  ApiError,
  handleClientError,
  invalidField,
  registerErrorHandler,
  rejectUnknownRoutes,
  sendProblem,
} from "./http/errors.ts";
import {
  endResting,
  headerPatience,
  refuseUnderPressure,
  requestTimeout,
  restMs,
} from "./http/load-shedding.ts";
import { createGuessLimiter, limitRequests } from "./http/rate-limit.ts";
import { rootRoute } from "./http/root.ts";
import { rejectUnexpectedBodies, strictValidator } from "./http/validation.ts";
import { notificationRoutes } from "./notifications/routes.ts";
import { healthRoutes } from "./observability/health.ts";
import { countAnswer, metricsRoute } from "./observability/metrics.ts";
import { documentPages } from "./openapi/docs-pages.ts";
import { describeApi } from "./openapi/document.ts";
import { createOrderFeed } from "./order-feed/feed.ts";
import { orderFeedRoutes } from "./order-feed/routes.ts";
import { customerOrderRoutes } from "./orders/customer-routes.ts";
import { orderRoutes } from "./orders/routes.ts";
import { paymentRoutes } from "./payments/routes.ts";
import { promotionRoutes } from "./promotions/routes.ts";
import { refundRoutes } from "./refunds/routes.ts";
import { salesRoutes } from "./reports/routes.ts";
import { staffPageRoutes } from "./staff-page/routes.ts";
import { identityRoutes } from "./users/identity-routes.ts";
import { userRoutes } from "./users/routes.ts";

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
  menu: Menu;
  log: FastifyBaseLogger;
  /** Undefined: instances share nothing but the database. */
  redis: Redis | undefined;
}

/** Import and images have their own. */
const bodyLimitBytes = 64 * 1024;

/** The whole service as one function: the map of the API. Gives an app that isn't listening yet. */
export async function buildApp({ settings, sql, counter, menu, redis, log }: Shop) {
  const app = Fastify({
    loggerInstance: log,
    bodyLimit: bodyLimitBytes,
    trustProxy: (_address, hop) => hop < settings.trustProxy,
    requestIdHeader: false,
    // Refused below, as everything is; Node's own refusal has no body.
    http: { requireHostHeader: false, ...headerPatience },
    requestTimeout,
    // What still comes in while the others are finished is answered too, and not in Fastify's own words.
    return503OnClosing: false,
    // As a factory: a compiler that is set would be replaced in every plugin that adds a schema.
    schemaController: {
      compilersFactory: { buildValidator: () => strictValidator as never, buildSerializer: lateSerializers },
    },
    // One line for a request, when it is answered: below.
    logController: new LogController({ requestIdLogLabel: "request_id", disableRequestLogging: true }),
    // An id that is too long is a bad id, 400, as any other: a whole request line is shorter than this.
    routerOptions: { maxParamLength: maxHeaderSize },
    genReqId: ({ headers }) => readRequestId(headers["x-request-id"]) ?? nextRequestId(),
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply),
    clientErrorHandler: handleClientError,
  });
  app.decorate("sql", sql).decorate("settings", settings);
  app.addHook("onRequest", (request, reply, done) => {
    const { headers, raw } = request;
    reply.header("x-request-id", request.id).header("x-content-type-options", "nosniff");
    if (headers.host === undefined && raw.httpVersion === "1.1")
      done(new ApiError("validation_failed", "The request has no Host"));
    else done();
  });
  // An expectation that nobody meets is ignored; Node's own refusal has no body.
  app.server.on("checkExpectation", app.routing);
  makeLogsLate(app.log);
  tellOfAnswers(app, log);
  readJson(app);
  rejectUnexpectedBodies(app);
  registerErrorHandler(app);

  if (settings.sentryDsn) (await import("./observability/sentry.ts")).reportFailures(app, settings.sentryDsn);

  // Asked without an Origin it says the same; the plugin's own refusal is no problem+json.
  const preflight = { strictPreflight: false };
  if (settings.corsOrigins.length > 0)
    await app.register(cors, { origin: settings.corsOrigins, methods, exposedHeaders, ...preflight });
  await refuseUnderPressure(app);
  endResting(app, restMs(settings.paymentTimeoutMs));
  await limitRequests(app, redis);
  rejectUnknownRoutes(app);
  const withGuessLimit = createGuessLimiter(app);
  await registerTokens(app, settings.jwtSecrets, settings.accessTokenMinutes);
  await describeApi(app, version);
  await app.register(documentPages);

  const store = await openImageStore(settings);
  app.addHook("onClose", async () => store?.close());
  const prefix = settings.apiPrefix;
  await app.register(rootRoute);
  const feed = createOrderFeed(sql, log);
  await app.register(metricsRoute, { redis, feed });
  await app.register(healthRoutes, { prefix, redis });
  await app.register(authRoutes, { prefix, withGuessLimit });
  await app.register(signUpRoutes, { prefix, withGuessLimit });
  await app.register(sessionRoutes, { prefix });
  await app.register(userRoutes, { prefix });
  await app.register(identityRoutes, { prefix });
  await app.register(catalogRoutes, { prefix, menu });
  await app.register(productRoutes, { prefix, menu });
  await app.register(categoryRoutes, { prefix, menu });
  await app.register(importRoutes, { prefix, menu });
  await app.register(imageAdminRoutes, { prefix, menu, store });
  await app.register(imageRoute, { store });
  await app.register(promotionRoutes, { prefix });
  await app.register(orderRoutes, { prefix, counter });
  await app.register(cartRoutes, { prefix });
  await app.register(customerOrderRoutes, { prefix, counter });
  await app.register(salesRoutes, { prefix });
  await app.register(refundRoutes, { prefix });
  await app.register(paymentRoutes, { prefix });
  await app.register(notificationRoutes, { prefix });
  await app.register(orderFeedRoutes, { prefix, feed });
  await app.register(staffPageRoutes);
  return app;
}

const serializers = selectSerializers();

/** Lets a route's serializer be made when it first answers: all at once they would hold up the start. */
const lateSerializers: SerializerFactory = (...context) => {
  const compile = serializers(...context);
  return (route) => {
    let serialize: Serializer | undefined;
    return (answer) => {
      serialize ??= compile(route);
      return serialize(answer);
    };
  };
};

/** Lets a request's own log be made when it first says something: most say nothing but the line of their answer. */
function makeLogsLate(log: FastifyBaseLogger) {
  const child = log.child.bind(log);
  const late: ProxyHandler<{ make: () => FastifyBaseLogger; made?: FastifyBaseLogger }> = {
    get: (request, name) => {
      request.made ??= request.make();
      return Reflect.get(request.made, name);
    },
  };
  log.child = (...bindings) => new Proxy({ make: () => child(...bindings) }, late) as never;
}

/** What is told of who had gone before he was answered: no answer of ours, but what nginx calls it. */
const clientGone = 499;

/**
 * Logs and counts each answer. What its route is called each route is told once, for Fastify would look it up each time,
 * and each has a log of its own, which has written that once.
 */
function tellOfAnswers(app: FastifyInstance, log: FastifyBaseLogger) {
  const tellOf =
    (method: string, route: string | undefined, own: FastifyBaseLogger) =>
    ({ id, user }: FastifyRequest, { elapsedTime }: FastifyReply, status: number) => {
      countAnswer(method, route, status, elapsedTime);
      own.info({ request_id: id, status, ms: Math.round(elapsedTime), user_id: user?.id }, "request");
    };
  app.addHook("onRoute", (route) => {
    // None here is for several methods at once.
    const { method, url } = route as { method: string; url: string };
    const tell = tellOf(method, url, log.child({ method, route: url }));
    const tellOfAnswer: onResponseHookHandler = (request, reply, done) => {
      tell(request, reply, reply.statusCode);
      done();
    };
    route.onResponse = [tellOfAnswer, ...[route.onResponse ?? []].flat()];
    // Fastify says nothing of an answer that nobody took. What is read at once is asked again; what writes, and a stream,
    // which is left so as a rule, is told.
    if (/^(GET|HEAD)$/.test(method) && !url.endsWith("/events")) return;
    const tellOfLeaving: onRequestHookHandler = (request, reply, done) => {
      const { raw } = reply;
      raw.once("close", () => {
        if (!raw.writableFinished) tell(request, reply, raw.headersSent ? reply.statusCode : clientGone);
      });
      done();
    };
    route.onRequest = [tellOfLeaving, ...[route.onRequest ?? []].flat()];
  });
  app.addHook("onResponse", (request, reply, done) => {
    const { method, url } = request;
    if (request.is404)
      tellOf(method, undefined, log.child({ method, route: url }))(request, reply, reply.statusCode);
    done();
  });
}

/** JSON alone, unless a route says otherwise; no body at all is no body, whatever its Content-Type says. */
function readJson(app: FastifyInstance) {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeContentTypeParser(["text/plain", "application/json"]);
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) =>
    body === ""
      ? done(null, undefined)
      : parse(request, body as string, (error, value) =>
          // Null is Fastify's word for no body at all.
          done(error ?? (value === null ? invalidField("", "Expected object") : null), value),
        ),
  );
}

/** What no other process calls its requests, and a count: a UUID for each would be a tenth of answering from the menu. */
const requestIdPrefix = randomBytes(6).toString("hex");
let requestIdsMade = 0;
const nextRequestId = () => `${requestIdPrefix}-${(++requestIdsMade).toString(36)}`;

/** A caller's request id, if it is one that fits a log line: 1 to 64 printable ASCII characters. */
function readRequestId(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" && /^[\x20-\x7e]{1,64}$/.test(header) ? header : undefined;
}

const methods = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"];

/** What a browser's script may read of an answer from another origin. */
const exposedHeaders = ["etag", "location", "retry-after", "x-request-id", "idempotent-replayed"];
