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

interface Connection {
  /** Whether no request has come yet. */
  silent: boolean;
  /** The answer that is being made. */
  answering: ServerResponse | undefined;
}

/**
 * Takes an app that isn't listening yet; gives the function that closes it. From then on it isn't ready, connections are
 * refused, and every answer closes its connection. Whoever is in the middle of a request gets `patienceMs` for its
 * answer; a connection that rests after an answer is left open for `lingerMs`. Node alone would wait for ever for a
 * client that connected and said nothing, as browsers do in advance.
 */
export function openDrain(app: FastifyInstance, patienceMs: number, lingerMs: number): () => Promise<void> {
  const server = app.server as Server;
  // It changes with connections only: a Set that changes with each request leaves its former tables behind, each of which
  // keeps what stood in it from being collected (measured: GET /menu was answered a seventh less often).
  const connections = new Map<Socket, Connection>();
  let lingering = true;

  server.on("connection", (socket) => {
    connections.set(socket, { silent: true, answering: undefined });
    socket.once("close", () => connections.delete(socket));
  });
  server.on("request", ({ socket }, response) => {
    const connection = connections.get(socket);
    if (!connection) return;
    connection.silent = false;
    connection.answering = response;
    response.on("close", answered);
  });
  // One function for all: it runs at every request.
  function answered(this: ServerResponse) {
    const { socket } = this.req;
    const connection = connections.get(socket);
    // Of requests that came together the last one is answered last.
    if (connection?.answering !== this) return;
    connection.answering = undefined;
    if (!lingering) socket.destroySoon();
  }

  return async () => {
    draining.add(server);
    // Node's and Fastify's own way is to close at once all that rest.
    server.closeIdleConnections = () => {};
    for (const { answering } of connections.values())
      if (answering && !answering.headersSent) answering.setHeader("connection", "close");
    const patience = setTimeout(() => server.closeAllConnections(), patienceMs);
    const linger = setTimeout(() => {
      lingering = false;
      for (const [socket, { silent, answering }] of connections)
        if (!silent && !answering) socket.destroySoon();
    }, lingerMs);
    const closed = app.close();
    for (const [socket, { silent }] of connections) if (silent) socket.destroySoon();
    await closed;
    clearTimeout(patience);
    clearTimeout(linger);
  };
}
