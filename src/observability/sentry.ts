// Failures of ours, told to Sentry. Loaded only where SENTRY_DSN is set.
import * as Sentry from "@sentry/node-core/light";
import type { FastifyInstance } from "fastify";
import { version } from "../config.ts";
import { statusOf, toApiError } from "../http/errors.ts";

// At the end, for what is still on its way.
const flushMs = 2_000;

/**
 * Reports every answer from 500 up with its cause and the request's id, route and user, and nothing else of it: neither
 * headers nor body, in which secrets are.
 */
export function reportFailures(app: FastifyInstance, dsn: string) {
  const client = Sentry.init({
    dsn,
    release: `ristretto@${version}`,
    environment: app.settings.production ? "production" : "development",
    // Those that patch modules, collect what was logged or called, and decide when the process ends are not wanted.
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
