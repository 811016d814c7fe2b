// Neither text, status nor time of a response reveals whether an email has an account.
import formbody from "@fastify/formbody";
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { clientSignal } from "../http/client-signal.ts";
import { ApiError } from "../http/errors.ts";
import type { GuessLimiter } from "../http/rate-limit.ts";
import { toEmail } from "../http/schemas.ts";
import { signUpByIdentity } from "../users/identities.ts";
import { findAccountByIdentity } from "../users/identity-queries.ts";
import { findAccountByEmail } from "../users/queries.ts";
import { passwordMatches } from "./passwords.ts";
import { endSessionOfToken } from "./queries.ts";
import { ignoredOauthFields, RefreshToken, SignIn, TelegramLogin, TokenPair } from "./schemas.ts";
import { openSession, refreshSession } from "./sessions.ts";
import { requireTelegram, verifyTelegramLogin } from "./telegram.ts";
import { hashToken } from "./tokens.ts";

const tags = ["auth"];

export const authRoutes: FastifyPluginAsyncTypebox<{ withGuessLimit: GuessLimiter }> = async (
  app,
  { withGuessLimit },
) => {
  await app.register(formbody);
  app.addHook("onRequest", async (_request, reply) => void reply.header("cache-control", "no-store"));

  app.post(
    "/auth/token",
    {
      preValidation: async ({ body }) => {
        for (const field of ignoredOauthFields) delete (body as Record<string, unknown> | null)?.[field];
      },
      config: { errorCodes: ["invalid_credentials", "email_not_verified"] },
      schema: {
        operationId: "createToken",
        tags,
        summary: "Sign in with email and password",
        description:
          "After 10 wrong passwords or codes for an account within 15 minutes, even the right one is 429.",
        consumes: ["application/x-www-form-urlencoded", "application/json"],
        body: SignIn,
        response: { 200: TokenPair },
      },
    },
    async (request, reply) => {
      const { username, password } = request.body;
      const signal = clientSignal(reply);
      const account = await withGuessLimit(request, async () => {
        const found = await findAccountByEmail(app.sql, toEmail(username));
        return (await passwordMatches(found?.password_hash, password, signal)) ? found : undefined;
      });
      if (!account) throw invalidCredentials();
      if (!account.verified) throw new ApiError("email_not_verified", "Verify your email address first");
      const pair = await openSession(app, request, account);
      if (!pair) throw invalidCredentials();
      return pair;
    },
  );

  app.post(
    "/auth/telegram",
    {
      preValidation: requireTelegram,
      config: { errorCodes: ["invalid_telegram_login", "telegram_disabled"] },
      schema: {
        operationId: "createTokenByTelegram",
        tags,
        summary: "Sign in through Telegram; the first time creates the user",
        description: "Send the fields of the Telegram Login widget unchanged.",
        body: TelegramLogin,
        response: { 200: TokenPair },
      },
    },
    async (request) => {
      const identity = verifyTelegramLogin(request.body, app.settings.telegramBotToken!);
      const { first_name = null, last_name = null } = request.body;
      const account =
        (await findAccountByIdentity(app.sql, identity)) ??
        (await signUpByIdentity(app.sql, identity, { first_name, last_name }));
      const pair = await openSession(app, request, account);
      if (!pair)
        throw new ApiError(
          "invalid_telegram_login",
          "This account was changed during the sign-in; please try again",
        );
      return pair;
    },
  );

  app.post(
    "/auth/refresh",
    {
      config: { errorCodes: ["invalid_refresh_token"] },
      schema: {
        operationId: "refreshToken",
        tags,
        summary: "Exchange a refresh token for a new pair",
        description:
          "The old token stays valid for 20 seconds, for tabs that refresh at the same time. Using it after that " +
          "ends the whole session.",
        body: RefreshToken,
        response: { 200: TokenPair },
      },
    },
    async (request) => {
      const pair = await refreshSession(app, request.body.refresh_token);
      if (!pair) throw new ApiError("invalid_refresh_token", "Sign in again");
      return pair;
    },
  );

  app.post(
    "/auth/logout",
    {
      schema: {
        operationId: "logout",
        tags,
        summary: "End the session of a refresh token",
        body: RefreshToken,
        response: { 204: Type.Null({ description: "The session has ended, or the token is unknown" }) },
      },
    },
    async (request, reply) => {
      await endSessionOfToken(app.sql, hashToken(request.body.refresh_token));
      return reply.code(204).send(null);
    },
  );
};

const invalidCredentials = () => new ApiError("invalid_credentials", "Email or password is wrong");
