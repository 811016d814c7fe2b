import { connect } from "node:net";

const timeoutMs = 1_000;

/** Connects to an address and sends nothing. Returns undefined, or the error. */
export function canConnect(host: string, port: number): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: host.replace(/^\[|\]$/g, ""), port, timeout: timeoutMs });
    const end = (error?: Error) => {
      socket.destroy();
      resolve(error);
    };
    socket.once("connect", () => end());
    socket.once("error", end);
    socket.once("timeout", () => end(new Error(`no connection within ${timeoutMs / 1_000} s`)));
  });
}
