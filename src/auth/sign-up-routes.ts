// Responses to requests for a code are the same whether or not the address has an account.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import { clientSignal } from "../http/client-signal.ts";
import type { GuessLimiter } from "../http/rate-limit.ts";
import { toEmail } from "../http/schemas.ts";
import { insertUserEvent } from "../users/events.ts";
import { insertUser, resetPassword, verifyEmail } from "../users/queries.ts";
import { User } from "../users/schemas.ts";
import { mapUniqueViolation } from "../users/unique-violations.ts";
import { type Purpose, requestCode } from "./code-queries.ts";
import { invalidCode, redeemCode, verifyCode } from "./codes.ts";
import { requireMail } from "./mail.ts";
import { hashPassword } from "./passwords.ts";
import { endAllSessions } from "./queries.ts";
import { EmailOnly, PasswordReset, SignUp, Verification } from "./schemas.ts";

const tags = ["auth"];

export const signUpRoutes: FastifyPluginAsyncTypebox<{ withGuessLimit: GuessLimiter }> = async (
  app,
  { withGuessLimit },
) => {
  app.addHook("onRequest", async (_request, reply) => void reply.header("cache-control", "no-store"));

  app.post(
    "/auth/signup",
    {
      config: { errorCodes: ["email_taken", "phone_taken", "mail_unavailable"] },
      schema: {
        operationId: "signUp",
        tags,
        summary: "Sign up as a customer; a code to verify the address comes by email",
        body: SignUp,
        response: { 201: User },
      },
    },
    async (request, reply) => {
      requireMail(app.settings);
      const { password, first_name = null, last_name = null, phone_number = null } = request.body;
      const email = toEmail(request.body.email);
      const password_hash = await hashPassword(password, clientSignal(reply));
      const user = await app.sql
        .begin(async (tx) => {
          const person = { first_name, last_name, phone_number };
          const inserted = await insertUser(tx, { email, password_hash, ...person, verified: false });
          await insertUserEvent(tx, "user.created", inserted);
          await requestCode(tx, "verify_email", email);
          return inserted;
        })
        .catch(mapUniqueViolation);
      return reply.code(201).send(user);
    },
  );

  app.post(
    "/auth/verify",
    {
      config: { errorCodes: ["invalid_code", "email_taken"] },
      schema: {
        operationId: "verifyEmail",
        tags,
        summary: "Verify an address with the code sent to it",
        description: "A new address (`pending_email`) becomes the one to sign in with.",
        body: Verification,
        response: { 200: User },
      },
    },
    async (request) => {
      const { email, code } = await checkCode(request, ["verify_email", "change_email"]);
      return app.sql
        .begin(async (tx) => {
          // Locks the user before the code, as the clean-up does.
          const user = await verifyEmail(tx, code.user_id, email);
          if (!user) throw invalidCode();
          await redeemCode(tx, code);
          await insertUserEvent(tx, "user.verified", user);
          return user;
        })
        .catch(mapUniqueViolation);
    },
  );

  codeRequestRoute("/auth/verify/resend", ["verify_email", "change_email"], {
    operationId: "resendCode",
    summary: "Request another code to verify an address; at most one a minute is sent",
  });

  codeRequestRoute("/auth/password/forgot", ["reset_password"], {
    operationId: "forgotPassword",
    summary: "Request a code to set a new password; at most one a minute is sent",
  });

  app.post(
    "/auth/password/reset",
    {
      config: { errorCodes: ["invalid_code"] },
      schema: {
        operationId: "resetPassword",
        tags,
        summary: "Set a new password with a code; every session of the user ends",
        body: PasswordReset,
        response: { 204: Type.Null({ description: "The new password is set" }) },
      },
    },
    async (request, reply) => {
      const signal = clientSignal(reply);
      const { email, code } = await checkCode(request, ["reset_password"]);
      const password_hash = await hashPassword(request.body.password, signal);
      await app.sql.begin(async (tx) => {
        const user = await resetPassword(tx, code.user_id, { email, password_hash });
        if (!user) throw invalidCode();
        await redeemCode(tx, code);
        await endAllSessions(tx, user.id);
        if (user.newly_verified) await insertUserEvent(tx, "user.verified", user);
      });
      return reply.code(204).send(null);
    },
  );

  function codeRequestRoute(
    url: string,
    purposes: Purpose[],
    texts: { operationId: string; summary: string },
  ) {
    app.post(
      url,
      {
        config: { errorCodes: ["mail_unavailable"] },
        schema: { ...texts, tags, body: EmailOnly, response: { 202: Accepted } },
      },
      async (request, reply) => {
        requireMail(app.settings);
        const email = toEmail(request.body.email);
        await app.sql.begin((tx) => purposes.map((purpose) => requestCode(tx, purpose, email)));
        return reply.code(202).send();
      },
    );
  }

  /** Returns the live code of the body. Throws `invalid_code`, or `rate_limited` after too many wrong ones. */
  async function checkCode(
    request: FastifyRequest<{ Body: { email: string; code: string } }>,
    purposes: Purpose[],
  ) {
    const email = toEmail(request.body.email);
    const code = await withGuessLimit(request, () =>
      verifyCode(app, { purposes, email, code: request.body.code }),
    );
    if (!code) throw invalidCode();
    return { email, code };
  }
};

const Accepted = Type.Unsafe<undefined>(
  Type.Null({ description: "If the address has such an account, an email is sent" }),
);
