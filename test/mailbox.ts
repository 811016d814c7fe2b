// A mail server that keeps every email.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { SMTPServer } from "smtp-server";
import { eventually } from "./harness.ts";

export interface Letter {
  to: string;
  /** With all headers. */
  raw: string;
}

export interface Mailbox {
  url: string;
  letters: Letter[];
  /** Returns the code in the `nth` email to this address, once it has come. */
  codeFor: (email: string, nth?: number) => Promise<string>;
  /** While true, every email is rejected. */
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

/** Returns the code in the text of the email. */
const readCode = (raw: string) => /^\d{6}$/m.exec(raw.replaceAll("\r", ""))![0];
