import type { FastifyReply } from "fastify";

/**
 * Returns a signal that aborts when the client disconnects, or when the response has been sent. Fastify's own
 * `request.signal` aborts as soon as the body has been read.
 */
export function clientSignal({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController();
  raw.once("close", () => controller.abort());
  if (raw.destroyed) controller.abort();
  return controller.signal;
}
