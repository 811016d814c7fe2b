// Signing in. Nothing here tells whether an email has an account: not in words, not in status, not in time.
import formbody from "@fastify/formbody";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { v7 as uuidv7 } from "uuid";
import { ApiError } from "../errors.ts";
import { ref } from "../schemas.ts";
import { findAccountByEmail } from "../users/queries.ts";
import { passwordMatches } from "./passwords.ts";
import { insertSession } from "./queries.ts";
import { SignIn, TokenPair } from "./schemas.ts";
import { newRefreshToken, signAccessToken } from "./tokens.ts";

export const authRoutes: FastifyPluginAsyncTypebox = async (app) => {
  await app.register(formbody);
  app.addSchema(TokenPair);

  app.post(
    "/auth/token",
    {
      config: { refuses: ["invalid_credentials", "email_not_verified"] },
      schema: {
        operationId: "createToken",
        tags: ["auth"],
        summary: "Sign in with email and password",
        consumes: ["application/x-www-form-urlencoded", "application/json"],
        body: SignIn,
        response: { 200: ref(TokenPair) },
      },
    },
    async (request, reply) => {
      const { username, password } = request.body;
      const account = await findAccountByEmail(app.sql, username.trim().toLowerCase());
      const matches = await passwordMatches(account?.password_hash, password);
      if (!account || !matches) throw new ApiError("invalid_credentials", "Email or password is wrong");
      if (!account.verified) throw new ApiError("email_not_verified", "Verify your email address first");
      const { token, hash } = newRefreshToken();
      await insertSession(app.sql, {
        id: uuidv7(),
        user_id: account.id,
        user_agent: request.headers["user-agent"]?.slice(0, 200) ?? null,
        token_hash: hash,
        days: app.settings.refreshTokenDays,
      });
      reply.header("cache-control", "no-store");
      return {
        access_token: signAccessToken(app, account),
        token_type: "bearer" as const,
        expires_in: app.settings.accessTokenMinutes * 60,
        refresh_token: token,
      };
    },
  );
};
