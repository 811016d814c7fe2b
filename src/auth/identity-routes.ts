// Linking an identity requires the account's session and a proof from the provider.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
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

const IdentityQuery = Type.Object({
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
        summary: "Check whether an identity is registered",
        querystring: IdentityQuery,
        response: { 200: IdentityCheck },
      },
    },
    async (request) => {
      const identity = await findByQuery(request.query);
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
        summary: "Find an identity and its user",
        querystring: IdentityQuery,
        response: { 200: Identity },
      },
    },
    async (request) => {
      const identity = await findByQuery(request.query);
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
        summary: "Link a Telegram identity to sign in with",
        description: "Send the fields of the Telegram Login widget unchanged.",
        params,
        body: TelegramLogin,
        response: { 201: Identity },
      },
    },
    async (request, reply) => {
      const verified = verifyTelegramLogin(request.body, app.settings.telegramBotToken!);
      const id = request.params.user_id;
      const identity = await app.sql
        .begin(async (tx) => {
          const [user] = await lockUsers(tx, [id]);
          if (!user || user.deleted) throw notFound("User");
          return insertIdentity(tx, id, verified);
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
        summary: "Unlink an identity (not the last way to sign in)",
        params: Type.Object({ user_id: UserId, identity_id: Id }),
        response: { 204: Type.Null({ description: "Another account may link it now" }) },
      },
    },
    async (request, reply) => {
      const id = request.params.user_id;
      await app.sql.begin(async (tx) => {
        // Of two concurrent requests, the second sees what the first deleted.
        await lockUsers(tx, [id]);
        if (!(await deleteIdentity(tx, id, request.params.identity_id))) throw notFound("Identity");
        if (!(await canSignIn(tx, id)))
          throw new ApiError("forbidden", "This is the only way to sign in to the account");
      });
      return reply.code(204).send(null);
    },
  );

  function findByQuery(query: Static<typeof IdentityQuery>) {
    if (query.provider_id === undefined && query.username === undefined)
      throw invalidField("/provider_id", "Expected this, or /username");
    return findIdentity(app.sql, query);
  }
};
