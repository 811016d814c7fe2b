// The end of the HTTP side: requests in flight are answered, and nobody else is waited for.
import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";

/**
 * A proxy in front may be sending a request into a connection in the very moment in which it is closed here, and must
 * not repeat a POST. So its connections are left open for this long: each is closed with its next answer, which says
 * so, or by the proxy, which lets them rest for less (`keepalive_timeout` in deploy/nginx).
 */
export const proxyLingerMs = 3_000;

const draining = new WeakSet<Server>();

/** Whether this server takes nobody new, and is about to end. */
export const isDraining = (server: Server) => draining.has(server);

/** How often those that are closed when their answer is sent are looked for. */
const sweepMs = 20;

/** The answer that is being made on a connection. Node keeps it there, and its own way of closing looks at it too. */
const answering = (socket: Socket) =>
  (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;

/**
 * Takes an app that isn't listening yet; gives the function that closes it. From then on it isn't ready, connections are
 * refused, and every answer closes its connection. Whoever is in the middle of a request gets `patienceMs` for its
 * answer; a connection that rests after an answer is left open for `lingerMs`. Node alone would wait for ever for a
 * client that connected and said nothing, as browsers do in advance.
 */
export function openDrain(app: FastifyInstance, patienceMs: number, lingerMs: number): () => Promise<void> {
  const server = app.server as Server;
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });

  return async () => {
    draining.add(server);
    // Node's and Fastify's own way is to close at once all that rest.
    server.closeIdleConnections = () => {};
    for (const socket of sockets) {
      const answer = answering(socket);
      if (answer && !answer.headersSent) answer.setHeader("connection", "close");
      if (socket.bytesRead === 0) socket.destroySoon();
    }
    const patience = setTimeout(() => server.closeAllConnections(), patienceMs);
    const lingersUntil = performance.now() + lingerMs;
    const sweep = setInterval(() => {
      if (performance.now() < lingersUntil) return;
      for (const socket of sockets) if (!answering(socket)) socket.destroySoon();
    }, sweepMs);
    await app.close();
    clearTimeout(patience);
    clearInterval(sweep);
  };
}
