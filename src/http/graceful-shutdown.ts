import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";

/** Longer than nginx's `keepalive_timeout`: a proxy must not repeat a POST into a connection that we closed. */
const proxyLingerMs = 3_000;
/** For a request that is on its way at this moment. */
const directLingerMs = 100;

/** A payment in flight may use its whole timeout; this is for the commit that follows. */
const commitMs = 2_000;

const draining = new WeakSet<object>();

export const isDraining = (server: object) => draining.has(server);

export function registerGracefulShutdown(app: FastifyInstance) {
  const { trustProxy, paymentTimeoutMs } = app.settings;
  const server = app.server as Server;
  const openResponses = new Map<Socket, number>();
  let hasLingered = false;

  server.on("connection", (socket) => {
    openResponses.set(socket, 0);
    socket.once("close", () => openResponses.delete(socket));
  });
  server.on("request", ({ socket }, response) => {
    openResponses.set(socket, (openResponses.get(socket) ?? 0) + 1);
    response.once("close", () => {
      if (socket.destroyed) return;
      openResponses.set(socket, openResponses.get(socket)! - 1);
      if (hasLingered) closeIdleConnections();
    });
  });

  function closeIdleConnections() {
    hasLingered = true;
    for (const [socket, count] of openResponses) if (count === 0) socket.destroySoon();
  }
  // server.close() calls it. Node's own closes at once, and cuts responses that are still being sent.
  server.closeIdleConnections = () => {
    setTimeout(closeIdleConnections, trustProxy > 0 ? proxyLingerMs : directLingerMs).unref();
  };

  app.addHook("onSend", (_request, reply, _payload, done) => {
    if (isDraining(server)) reply.header("connection", "close");
    done();
  });
  app.addHook("preClose", async () => {
    draining.add(server);
    const timeout = setTimeout(() => server.closeAllConnections(), paymentTimeoutMs + commitMs).unref();
    server.once("close", () => clearTimeout(timeout));
  });
}
