// Only managers change roles, and never their own: so there is always a manager left.
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
        summary: "List users, newest first",
        querystring: Type.Object({
          ...pageQuery,
          email: Type.Optional(text(254)),
          role: Type.Optional(Role),
          provider: Type.Optional(IdentityProvider),
          provider_id: Type.Optional(text(64)),
          username: Type.Optional(text(64, { description: "The user name at the provider" })),
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
        summary: "Read a user, as that user or a manager",
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
      config: { errorCodes: editErrorCodes },
      schema: {
        operationId: "editUser",
        tags,
        summary: "Change the given fields",
        description:
          "Only managers change roles, and never their own. A new email gets a code and is `pending_email` until " +
          "`POST /auth/verify`; until then the user signs in with the old one.",
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
      config: { errorCodes: editErrorCodes },
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
        summary: "Erase a user's personal data; orders and payments stay",
        params,
        response: { 204: Type.Null({ description: "The user can no longer sign in" }) },
      },
    },
    async (request, reply) => {
      const id = resolveUserId(request.params.user_id, request.user);
      if (id === request.user.id)
        throw new ApiError("cannot_delete_self", "Only another manager can delete your account");
      await app.sql.begin(async (tx) => {
        const [user] = await lockUsers(tx, [id]);
        if (!user || user.deleted) throw notFound("User");
        if (user.role === "manager")
          throw new ApiError("cannot_delete_manager", "Remove the role of manager first");
        if ((await hasOpenOrders(tx, id)) || (await hasOpenPayments(tx, id)))
          throw new ApiError("open_orders", "This user has an unfinished order");
        await deleteSessions(tx, id);
        await deleteCodesOf(tx, user);
        await deleteCart(tx, id);
        await eraseUser(tx, id);
      });
      return reply.code(204).send(null);
    },
  );
};

const editErrorCodes = ["forbidden", "email_taken", "phone_taken", "mail_unavailable"] as const;

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
      // Read under the lock: of two managers who demote each other, the second is no longer a manager.
      const editor = users.find((row) => row.id === request.user.id);
      if (role !== undefined && (editor?.role !== "manager" || editor.id === id))
        throw new ApiError("forbidden", "Only managers change roles, and never their own");
      if (address !== undefined) await changeEmail(tx, id, toEmail(address));
      return (await updateUser(tx, id, { ...person, ...(role && { role }) }))!;
    })
    .catch(mapUniqueViolation);
}

/** Stores the pending address and requests its code. Its verification decides whether it is still free. */
async function changeEmail(tx: Db, id: string, email: string) {
  const holder = await findAccountByEmail(tx, email);
  if (holder && holder.id !== id) throw new ApiError("email_taken", "This email already has an account");
  await setPendingEmail(tx, id, email);
  if (!holder) await requestCode(tx, "change_email", email);
}
