// Users, as they see and change themselves, and as managers do. A role is changed by managers only, and never one's
// own: so there is always one left.
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import type { Db } from "../db/pool.ts";
import { ApiError, notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { text, toEmail, UserId } from "../http/schemas.ts";
import {
  eraseUser,
  findAccountByEmail,
  findUser,
  listUsers,
  lockUsers,
  setPendingEmail,
  updateUser,
} from "../users/queries.ts";
import { IdentityProvider, Role, User, UserPatch, UserReplacement } from "../users/schemas.ts";
import { mapUniqueViolation } from "../users/unique-violations.ts";
import { deleteCodesOf, requestCode } from "./code-queries.ts";
import { requireManager, requireSelfOrManager, resolveUserId } from "./guards.ts";
import { requireMail } from "./mail.ts";
import { deleteSessions } from "./queries.ts";

const tags = ["users"];
const params = Type.Object({ user_id: UserId });

/** Functions of features above this one, for the deletion of a user. */
interface Options {
  hasOpenOrders: (tx: Db, userId: string) => Promise<boolean>;
  hasOpenPayments: (tx: Db, userId: string) => Promise<boolean>;
  deleteCart: (tx: Db, userId: string) => Promise<unknown>;
}

export const userRoutes: FastifyPluginAsyncTypebox<Options> = async (
  app,
  { hasOpenOrders, hasOpenPayments, deleteCart },
) => {
  app.get(
    "/users",
    {
      onRequest: requireManager,
      schema: {
        operationId: "listUsers",
        tags,
        summary: "All users, newest first",
        querystring: Type.Object({
          ...pageQuery,
          email: Type.Optional(text(254)),
          role: Type.Optional(Role),
          provider: Type.Optional(IdentityProvider),
          provider_id: Type.Optional(text(64)),
          username: Type.Optional(text(64, { description: "The name at the provider" })),
        }),
        response: { 200: Page(User) },
      },
    },
    async (request) => {
      const { email } = request.query;
      const filters = { ...request.query, email: email && toEmail(email) };
      return paginate(request.query, (page) => listUsers(app.sql, filters, page));
    },
  );

  app.get(
    "/users/:user_id",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "readUser",
        tags,
        summary: "A user, for himself and for managers",
        params,
        response: { 200: User },
      },
    },
    async (request) => {
      const user = await findUser(app.sql, request.params.user_id);
      if (!user) throw notFound("User");
      return user;
    },
  );

  app.patch(
    "/users/:user_id",
    {
      onRequest: requireSelfOrManager,
      config: { errorCodes: editRefusals },
      schema: {
        operationId: "editUser",
        tags,
        summary: "Change what is given",
        description:
          "A role is changed by managers, and never their own. A new email gets a code, and is `pending_email` until " +
          "`POST /auth/verify` has proved it; the old one signs in until then.",
        params,
        body: UserPatch,
        response: { 200: User },
      },
    },
    editUser,
  );

  app.put(
    "/users/:user_id",
    {
      onRequest: requireSelfOrManager,
      config: { errorCodes: editRefusals },
      schema: {
        operationId: "replaceUser",
        tags,
        summary: "Replace name and phone number",
        params,
        body: UserReplacement,
        response: { 200: User },
      },
    },
    editUser,
  );

  app.delete(
    "/users/:user_id",
    {
      onRequest: requireManager,
      config: { errorCodes: ["not_found", "cannot_delete_self", "cannot_delete_manager", "open_orders"] },
      schema: {
        operationId: "deleteUser",
        tags,
        summary: "Erase the person; orders and money stay",
        params,
        response: { 204: Type.Null({ description: "Nobody can sign in as this user any more" }) },
      },
    },
    async (request, reply) => {
      const id = resolveUserId(request.params.user_id, request.user);
      if (id === request.user.id)
        throw new ApiError("cannot_delete_self", "Another manager has to delete you");
      await app.sql.begin(async (tx) => {
        const [user] = await lockUsers(tx, [id]);
        if (!user || user.deleted) throw notFound("User");
        if (user.role === "manager")
          throw new ApiError("cannot_delete_manager", "Take the role of manager away first");
        if ((await hasOpenOrders(tx, id)) || (await hasOpenPayments(tx, id)))
          throw new ApiError("open_orders", "An order of this user is not finished");
        await deleteSessions(tx, id);
        await deleteCodesOf(tx, user);
        await deleteCart(tx, id);
        await eraseUser(tx, id);
      });
      return reply.code(204).send(null);
    },
  );
};

const editRefusals = ["forbidden", "email_taken", "phone_taken", "mail_unavailable"] as const;

async function editUser(
  request: FastifyRequest<{ Params: { user_id: string }; Body: UserPatch }>,
): Promise<User> {
  const { sql } = request.server;
  const id = request.params.user_id;
  const { role, email: address, ...person } = request.body;
  if (address !== undefined) requireMail(request.server.settings);
  return sql
    .begin(async (tx) => {
      const users = await lockUsers(tx, [id, request.user.id]);
      const user = users.find((row) => row.id === id);
      if (!user || user.deleted) throw notFound("User");
      // As the locks show it: of two managers who demote each other at once, the second is none any more.
      const editor = users.find((row) => row.id === request.user.id);
      if (role !== undefined && (editor?.role !== "manager" || editor.id === id))
        throw new ApiError("forbidden", "Managers change roles, and never their own");
      if (address !== undefined) await changeEmail(tx, id, toEmail(address));
      return (await updateUser(tx, id, { ...person, ...(role && { role }) }))!;
    })
    .catch(mapUniqueViolation);
}

/** Notes the new address and asks for its code. That it is free is decided when the code comes back. */
async function changeEmail(tx: Db, id: string, email: string) {
  const holder = await findAccountByEmail(tx, email);
  if (holder && holder.id !== id) throw new ApiError("email_taken", "This email has an account already");
  await setPendingEmail(tx, id, email);
  if (!holder) await requestCode(tx, "change_email", email);
}
