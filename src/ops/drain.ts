// The end of the HTTP side: requests in flight are answered, and nobody else is waited for.
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";

/**
 * Takes an app that isn't listening yet; gives the function that closes it. Whoever is in the middle of a request gets
 * `patienceMs` for its answer. Node alone would wait for ever for a client that connected and said nothing, as
 * browsers do in advance.
 */
export function openDrain(app: FastifyInstance, patienceMs: number): () => Promise<void> {
  const { server } = app;
  const quiet = new Set<Socket>();
  let draining = false;
  const rest = (socket: Socket) => {
    if (draining) socket.destroySoon();
    else quiet.add(socket);
  };
  server.on("connection", (socket) => {
    quiet.add(socket);
    socket.once("close", () => quiet.delete(socket));
  });
  server.on("request", ({ socket }, response) => {
    quiet.delete(socket);
    response.once("close", () => rest(socket));
  });

  return async () => {
    draining = true;
    const patience = setTimeout(() => server.closeAllConnections(), patienceMs);
    const closed = app.close();
    for (const socket of quiet) socket.destroySoon();
    await closed;
    clearTimeout(patience);
  };
}
