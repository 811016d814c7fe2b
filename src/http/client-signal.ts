import type { FastifyReply } from "fastify";

/** Aborts at disconnection or after the response. Fastify's `request.signal` aborts once the body has been read. */
export function clientSignal({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController();
  raw.once("close", () => controller.abort());
  if (raw.destroyed) controller.abort();
  return controller.signal;
}
