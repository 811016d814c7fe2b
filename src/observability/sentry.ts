// Reports failures to Sentry. Loaded only if SENTRY_DSN is set.
import * as Sentry from "@sentry/node-core/light";
import type { FastifyInstance } from "fastify";
import { version } from "../config.ts";
import { statusOf, toApiError } from "../http/errors.ts";

// For reports in flight at the shutdown.
const flushMs = 2_000;

/** Leaves out headers and bodies: they contain secrets. */
export function reportFailures(app: FastifyInstance, dsn: string) {
  const client = Sentry.init({
    dsn,
    release: `ristretto@${version}`,
    environment: app.settings.production ? "production" : "development",
    // The others patch modules, collect logs and calls, or end the process.
    defaultIntegrations: false,
    integrations: [Sentry.linkedErrorsIntegration(), Sentry.dedupeIntegration()],
    sendDefaultPii: false,
    serverName: "",
  });
  app.addHook("onError", async (request, _reply, error) => {
    const refusal = toApiError(error);
    const status = statusOf(refusal);
    if (status < 500) return;
    const { method, routeOptions, user, id } = request;
    client?.captureException(error, {
      captureContext: {
        tags: { request_id: id, code: refusal.code, status, method, route: routeOptions.url ?? "" },
        ...(user && { user: { id: user.id } }),
      },
    });
  });
  app.addHook("onClose", async () => void (await client?.close(flushMs)));
}
