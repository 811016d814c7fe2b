import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Counter, Histogram } from "prom-client";

const labelNames = ["method", "route", "status"] as const;
const requests = new Counter({
  name: "http_requests_total",
  help: "Requests by method, route template and status",
  labelNames,
});
const duration = new Histogram({
  name: "http_request_duration_seconds",
  help: "Time from a request to its response",
  labelNames,
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});

/** The status that nginx logs for a client that left before its response. */
const clientClosedRequest = 499;

const recorded = new WeakSet<FastifyRequest>();

export function registerAccessLog(app: FastifyInstance) {
  app.addHook("onResponse", (request, reply, done) => {
    record(request, reply, reply.statusCode);
    done();
  });
  // Fastify runs no onResponse hook when the connection closes early.
  app.addHook("onRequest", (request, reply, done) => {
    const { raw } = reply;
    raw.once("close", () => {
      record(request, reply, raw.headersSent ? reply.statusCode : clientClosedRequest);
    });
    done();
  });
}

function record(request: FastifyRequest, { elapsedTime }: FastifyReply, status: number) {
  if (recorded.has(request)) return;
  recorded.add(request);
  const { method, user } = request;
  const route = request.routeOptions.url;
  // The template, never a real id; unknown paths share one label.
  const labels = { method, route: route ?? "unknown", status };
  requests.inc(labels);
  duration.observe(labels, elapsedTime / 1_000);
  request.log.info(
    { method, route: route ?? request.url, status, ms: Math.round(elapsedTime), user_id: user?.id },
    "request",
  );
}
