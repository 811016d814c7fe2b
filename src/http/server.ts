import { maxHeaderSize } from "node:http";
import Fastify, { type FastifyBaseLogger, LogController } from "fastify";
import type { Settings } from "../config.ts";
import type { Pool } from "../db/pool.ts";
import { registerAccessLog } from "./access-log.ts";
import { ApiError, handleClientError, sendProblem } from "./errors.ts";
import { registerGracefulShutdown } from "./graceful-shutdown.ts";
import { configureJsonParser } from "./json-body.ts";
import { requestIdOf } from "./request-id.ts";
import { connectionTimeouts, idleTimeoutMs } from "./timeouts.ts";
import { validatorCompiler } from "./validation.ts";

declare module "fastify" {
  interface FastifyInstance {
    sql: Pool;
    settings: Settings;
  }
}

/** The import and image routes have their own limits. */
const bodyLimitBytes = 64 * 1024;

export function createServer(settings: Settings, sql: Pool, log: FastifyBaseLogger) {
  const { http, ...timeouts } = connectionTimeouts(idleTimeoutMs(settings.paymentTimeoutMs));
  const app = Fastify({
    loggerInstance: log,
    bodyLimit: bodyLimitBytes,
    trustProxy: (_address, hop) => hop < settings.trustProxy,
    requestIdHeader: false,
    genReqId: requestIdOf,
    // The hook below rejects a missing Host: Node's own response has no body.
    http: { ...http, requireHostHeader: false },
    ...timeouts,
    // A request that arrives during the shutdown gets its response.
    return503OnClosing: false,
    // As a factory: plugins that add schemas would replace a compiler that is set.
    schemaController: { compilersFactory: { buildValidator: () => validatorCompiler as never } },
    // The access log writes one line for each response.
    logController: new LogController({ requestIdLogLabel: "request_id", disableRequestLogging: true }),
    // A path parameter may be as long as the request line: then its schema rejects it.
    routerOptions: { maxParamLength: maxHeaderSize },
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply),
    clientErrorHandler: handleClientError,
  });
  app.decorate("sql", sql).decorate("settings", settings);
  app.addHook("onRequest", (request, reply, done) => {
    const { headers, raw } = request;
    reply.header("x-request-id", request.id).header("x-content-type-options", "nosniff");
    if (headers.host === undefined && raw.httpVersion === "1.1")
      done(new ApiError("validation_failed", "The Host header is missing"));
    else done();
  });
  registerAccessLog(app);
  registerGracefulShutdown(app);
  configureJsonParser(app);
  // An unknown Expect header is ignored: Node's own response has no body.
  app.server.on("checkExpectation", app.routing);
  return app;
}
