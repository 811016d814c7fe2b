// The other ways in which a user signs in. One is linked by the account's session and the provider's proof together.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { ApiError, invalidField, notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id, text, UserId } from "../http/schemas.ts";
import {
  canSignIn,
  deleteIdentity,
  findIdentity,
  insertIdentity,
  listIdentities,
} from "../users/identity-queries.ts";
import { lockUsers } from "../users/queries.ts";
import { Identity, IdentityCheck, IdentityProvider } from "../users/schemas.ts";
import { mapUniqueViolation } from "../users/unique-violations.ts";
import { requireManager, requireSelfOrManager } from "./guards.ts";
import { TelegramLogin } from "./schemas.ts";
import { requireTelegram, verifyTelegramLogin } from "./telegram.ts";

const tags = ["users"];
const params = Type.Object({ user_id: UserId });

const identityQuery = Type.Object({
  provider: Type.Optional(IdentityProvider),
  provider_id: Type.Optional(text(64, { minLength: 1 })),
  username: Type.Optional(text(64, { minLength: 1 })),
});

export const identityRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    "/users/check-identity",
    {
      onRequest: requireManager,
      schema: {
        operationId: "checkIdentity",
        tags,
        summary: "Whether anybody has an identity",
        querystring: identityQuery,
        response: { 200: IdentityCheck },
      },
    },
    async (request) => {
      const identity = await findIdentity(app.sql, precise(request.query));
      return { status: identity ? ("registered" as const) : ("not_registered" as const) };
    },
  );

  app.get(
    "/users/by-provider",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found"] },
      schema: {
        operationId: "readIdentityByProvider",
        tags,
        summary: "An identity, and so whose it is",
        querystring: identityQuery,
        response: { 200: Identity },
      },
    },
    async (request) => {
      const identity = await findIdentity(app.sql, precise(request.query));
      if (!identity) throw notFound("Identity");
      return identity;
    },
  );

  app.get(
    "/users/:user_id/identities",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "listIdentities",
        tags,
        summary: "The identities of a user, newest first",
        params,
        querystring: Type.Object(pageQuery),
        response: { 200: Page(Identity) },
      },
    },
    async (request) =>
      paginate(request.query, (page) => listIdentities(app.sql, request.params.user_id, page)),
  );

  app.post(
    "/users/:user_id/identities",
    {
      onRequest: requireSelfOrManager,
      preValidation: requireTelegram,
      config: { errorCodes: ["invalid_telegram_login", "telegram_disabled", "identity_taken"] },
      schema: {
        operationId: "linkIdentity",
        tags,
        summary: "Sign in through Telegram too, from now on",
        description: "Takes the fields of the Telegram Login widget as they are.",
        params,
        body: TelegramLogin,
        response: { 201: Identity },
      },
    },
    async (request, reply) => {
      const proved = verifyTelegramLogin(request.body, app.settings.telegramBotToken!);
      const id = request.params.user_id;
      const identity = await app.sql
        .begin(async (tx) => {
          const [user] = await lockUsers(tx, [id]);
          if (!user || user.deleted) throw notFound("User");
          return insertIdentity(tx, id, proved);
        })
        .catch(mapUniqueViolation);
      return reply.code(201).send(identity);
    },
  );

  app.delete(
    "/users/:user_id/identities/:identity_id",
    {
      onRequest: requireSelfOrManager,
      config: { errorCodes: ["forbidden"] },
      schema: {
        operationId: "unlinkIdentity",
        tags,
        summary: "Sign in by this identity no more; not if there is no other way",
        params: Type.Object({ user_id: UserId, identity_id: Id }),
        response: { 204: Type.Null({ description: "It is free for another account" }) },
      },
    },
    async (request, reply) => {
      const id = request.params.user_id;
      await app.sql.begin(async (tx) => {
        // Of two that are unlinked at once, the second is seen as the last.
        await lockUsers(tx, [id]);
        if (!(await deleteIdentity(tx, id, request.params.identity_id))) throw notFound("Identity");
        if (!(await canSignIn(tx, id)))
          throw new ApiError("forbidden", "Without this identity the account could not be signed in to");
      });
      return reply.code(204).send(null);
    },
  );
};

/** The query, if it says which identity is meant. */
function precise<T extends { provider_id?: string; username?: string }>(query: T): T {
  if (query.provider_id === undefined && query.username === undefined)
    throw invalidField("/provider_id", "Expected this, or /username");
  return query;
}
