// The messages that carry a code, and what sends them.
import type { Logger } from "pino";
import { Counter } from "prom-client";
import { canSendMail, type Settings } from "../config.ts";
import type { Pool } from "../db/pool.ts";
import { ApiError } from "../http/errors.ts";
import { issueCode, type Purpose, revokeCode } from "./code-queries.ts";
import { hashCode, randomCode } from "./codes.ts";

const mails = new Counter({
  name: "mails_total",
  help: "Attempts to send an email, by outcome",
  labelNames: ["outcome"],
});
// Present from the start, so that a rate over the first attempt is right.
for (const outcome of ["sent", "failed"]) mails.inc({ outcome }, 0);

/** Throws `mail_unavailable`: a code that can't be sent is not asked for. */
export function requireMail(settings: Settings) {
  if (!canSendMail(settings))
    throw new ApiError("mail_unavailable", "Messages can't be sent from here at present");
}

// A job is given to another worker after two minutes; a mail server that says nothing is left well before.
const timeoutMs = 15_000;

/** A sender of codes, by mail; without an SMTP_URL by the log, in development alone. */
export async function openMailer(settings: Settings, sql: Pool, log: Logger) {
  const transport =
    settings.smtpUrl === undefined
      ? undefined
      : // Only a worker sends; instances read this file too.
        (await import("nodemailer")).createTransport({
          url: settings.smtpUrl,
          connectionTimeout: timeoutMs,
          greetingTimeout: timeoutMs,
          socketTimeout: timeoutMs,
        });

  async function send(purpose: Purpose, email: string, code: string) {
    if (transport)
      await transport.sendMail({
        from: settings.mailFrom,
        to: { name: "", address: email },
        ...message(purpose, code),
      });
    else if (!settings.production) log.info({ email, purpose, code }, subjects[purpose]);
    else throw new Error("there is no SMTP_URL to send codes with");
  }

  return {
    /**
     * Makes a code that was asked for and sends it: the code is in this process and in the message, nowhere else.
     * Throws when it could not be sent, so that the queue tries again later, with another code.
     */
    async sendCode(codeId: string) {
      const code = randomCode();
      const hash = hashCode(settings.jwtSecrets[0], codeId, code);
      const made = await issueCode(sql, codeId, hash);
      if (!made) return;
      try {
        await send(made.purpose, made.email, code);
        mails.inc({ outcome: "sent" });
      } catch (error) {
        mails.inc({ outcome: "failed" });
        await revokeCode(sql, codeId, hash);
        throw error;
      }
    },
    close: () => transport?.close(),
  };
}

const subjects: Record<Purpose, string> = {
  verify_email: "Verify your email address",
  change_email: "Verify your new email address",
  reset_password: "Set a new password",
};

// Short lines of ASCII, so that no encoding breaks them.
function message(purpose: Purpose, code: string) {
  const lines = [
    `${subjects[purpose]} with this code:`,
    code,
    "It is good once, and for 15 minutes.",
    "If you did not ask for it, ignore this message.",
  ];
  return {
    subject: subjects[purpose],
    text: `${lines.join("\n\n")}\n`,
    html: lines.map((line) => (line === code ? `<p><b>${line}</b></p>` : `<p>${line}</p>`)).join("\n"),
  };
}
