// Becoming a user, and proving an address: to sign up, to change it, to set a new password. What is asked for by email
// is answered the same whether or not anybody has it.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { clientSignal } from "../http/client-signal.ts";
import type { GuessLimiter } from "../http/rate-limit.ts";
import { toEmail } from "../http/schemas.ts";
import { insertUserEvent } from "../users/events.ts";
import { insertUser, resetPassword, verifyEmail } from "../users/queries.ts";
import { User } from "../users/schemas.ts";
import { mapUniqueViolation } from "../users/unique-violations.ts";
import { requestCode } from "./code-queries.ts";
import { invalidCode, redeemCode, verifyCode } from "./codes.ts";
import { requireMail } from "./mail.ts";
import { hashPassword } from "./passwords.ts";
import { endAllSessions } from "./queries.ts";
import { EmailOnly, PasswordReset, SignUp, Verification } from "./schemas.ts";

const tags = ["auth"];
const accepted = Type.Unsafe<undefined>(
  Type.Null({ description: "If there is such an account, a message is on its way" }),
);

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
        summary: "Become a customer; a code to verify the address comes by mail",
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
        summary: "Prove an address by the code that was sent to it",
        description: "A new address (`pending_email`) becomes the one to sign in with.",
        body: Verification,
        response: { 200: User },
      },
    },
    async (request) => {
      const email = toEmail(request.body.email);
      const code = await withGuessLimit(request, () =>
        verifyCode(app, { purposes: ["verify_email", "change_email"], email, code: request.body.code }),
      );
      if (!code) throw invalidCode();
      return app.sql
        .begin(async (tx) => {
          // The user first: cleaning up takes user and codes in this order too.
          const user = await verifyEmail(tx, code.user_id, email);
          if (!user) throw invalidCode();
          await redeemCode(tx, code);
          await insertUserEvent(tx, "user.verified", user);
          return user;
        })
        .catch(mapUniqueViolation);
    },
  );

  app.post(
    "/auth/verify/resend",
    {
      config: { errorCodes: ["mail_unavailable"] },
      schema: {
        operationId: "resendCode",
        tags,
        summary: "Another code to verify an address; at most one a minute is sent",
        body: EmailOnly,
        response: { 202: accepted },
      },
    },
    async (request, reply) => {
      requireMail(app.settings);
      const email = toEmail(request.body.email);
      await app.sql.begin((tx) => [
        requestCode(tx, "verify_email", email),
        requestCode(tx, "change_email", email),
      ]);
      return reply.code(202).send();
    },
  );

  app.post(
    "/auth/password/forgot",
    {
      config: { errorCodes: ["mail_unavailable"] },
      schema: {
        operationId: "forgotPassword",
        tags,
        summary: "Ask for a code to set a new password; at most one a minute is sent",
        body: EmailOnly,
        response: { 202: accepted },
      },
    },
    async (request, reply) => {
      requireMail(app.settings);
      await requestCode(app.sql, "reset_password", toEmail(request.body.email));
      return reply.code(202).send();
    },
  );

  app.post(
    "/auth/password/reset",
    {
      config: { errorCodes: ["invalid_code"] },
      schema: {
        operationId: "resetPassword",
        tags,
        summary: "Set a new password by the code that was sent; every session of the user ends",
        body: PasswordReset,
        response: { 204: Type.Null({ description: "The new password is the only one" }) },
      },
    },
    async (request, reply) => {
      const signal = clientSignal(reply);
      const email = toEmail(request.body.email);
      const code = await withGuessLimit(request, () =>
        verifyCode(app, { purposes: ["reset_password"], email, code: request.body.code }),
      );
      if (!code) throw invalidCode();
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
};
