// A mail server that keeps what it is given.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { SMTPServer } from "smtp-server";
import { eventually } from "./harness.ts";

export interface Letter {
  to: string;
  /** As it came, headers and all. */
  raw: string;
}

export interface Mailbox {
  url: string;
  letters: Letter[];
  /** Waits for the `nth` letter to this address, and gives the code in it. */
  codeFor: (email: string, nth?: number) => Promise<string>;
  /** Turned on, it refuses what it is given. */
  broken: boolean;
  close: () => Promise<void>;
}

export async function openMailbox(): Promise<Mailbox> {
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    onData: (stream, session, done) => {
      text(stream).then((raw) => {
        if (mailbox.broken) return done(new Error("The mailbox is broken"));
        for (const { address } of session.envelope.rcptTo) mailbox.letters.push({ to: address, raw });
        done();
      }, done);
    },
  });
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  const { port } = server.server.address() as AddressInfo;
  const mailbox: Mailbox = {
    url: `smtp://127.0.0.1:${port}`,
    letters: [],
    codeFor: async (email, nth = 1) => {
      const { raw } = await eventually(() => mailbox.letters.filter(({ to }) => to === email)[nth - 1]);
      return readCode(raw);
    },
    broken: false,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
  return mailbox;
}

/** The code that a reader of the message would type. */
const readCode = (raw: string) => /^\d{6}$/m.exec(raw.replaceAll("\r", ""))![0];
