import { connect } from "node:net";

const patienceMs = 1_000;

/** Whether somebody takes a connection at this address; nothing is sent. Gives the error if nobody does. */
export function knock(host: string, port: number): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: host.replace(/^\[|\]$/g, ""), port, timeout: patienceMs });
    const end = (error?: Error) => {
      socket.destroy();
      resolve(error);
    };
    socket.once("connect", () => end());
    socket.once("error", end);
    socket.once("timeout", () => end(new Error(`no answer within ${patienceMs / 1_000} s`)));
  });
}
