import type { Logger } from "pino";
import { Counter } from "prom-client";
import { canSendMail, type Settings } from "../config.ts";
import type { Db, Pool } from "../db/pool.ts";
import { ApiError } from "../http/errors.ts";
import { findAccountByEmail, findUserIdByPendingEmail } from "../users/queries.ts";
import { type CodeRequest, findCodeRequest, issueCode, type Purpose, revokeCode } from "./code-queries.ts";
import { hashCode, randomCode } from "./codes.ts";

const mails = new Counter({
  name: "mails_total",
  help: "Attempts to send an email, by outcome",
  labelNames: ["outcome"],
});
// Present from the start, so that a rate over the first attempt is right.
for (const outcome of ["sent", "failed"]) mails.inc({ outcome }, 0);

export function requireMail(settings: Settings) {
  if (!canSendMail(settings))
    throw new ApiError("mail_unavailable", "This service can't send email at the moment");
}

// Well below the two minutes after which another worker takes over the job.
const timeoutMs = 15_000;

/** Returns a sender of codes: by SMTP, or by the log in development without SMTP_URL. */
export async function openMailer(settings: Settings, sql: Pool, log: Logger) {
  const transport =
    settings.smtpUrl === undefined
      ? undefined
      : // Imported here, since only a worker sends.
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
    else throw new Error("SMTP_URL is not set");
  }

  return {
    /** Sends a new code; only the message has it. Throws if sending fails: the queue retries with another code. */
    async sendCode(codeId: string) {
      const request = await findCodeRequest(sql, codeId);
      const userId = request && (await findRecipient(sql, request));
      if (!userId) return;
      const code = randomCode();
      const hash = hashCode(settings.jwtSecrets[0], codeId, code);
      if (!(await issueCode(sql, { id: codeId, user_id: userId, hash }))) return;
      try {
        await send(request.purpose, request.email, code);
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

async function findRecipient(sql: Db, { purpose, email }: CodeRequest): Promise<string | undefined> {
  if (purpose === "change_email") return findUserIdByPendingEmail(sql, email);
  const account = await findAccountByEmail(sql, email);
  return purpose === "verify_email" && account?.verified ? undefined : account?.id;
}

const subjects: Record<Purpose, string> = {
  verify_email: "Verify your email address",
  change_email: "Verify your new email address",
  reset_password: "Set a new password",
};

// Short ASCII lines, so that no transfer encoding breaks the code.
function message(purpose: Purpose, code: string) {
  const lines = [
    `${subjects[purpose]} with this code:`,
    code,
    "It works once, within 15 minutes.",
    "If you did not request it, ignore this message.",
  ];
  return {
    subject: subjects[purpose],
    text: `${lines.join("\n\n")}\n`,
    html: lines.map((line) => (line === code ? `<p><b>${line}</b></p>` : `<p>${line}</p>`)).join("\n"),
  };
}
