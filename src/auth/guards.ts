// Who may call a route: named in its `onRequest`, so that it runs before anything of the request is judged.
import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError, type Guard, notFound } from "../http/errors.ts";
import { isUuid } from "../http/validation.ts";
import { findRole } from "../users/queries.ts";
import type { Role } from "../users/schemas.ts";
import { type AuthenticatedUser, readAccessToken } from "./tokens.ts";

/** Anyone with a valid access token: sets `request.user`. What is answered is private and never stored. */
export const requireUser: Guard = Object.assign(
  async (request: FastifyRequest, reply: FastifyReply) => {
    reply.header("cache-control", "no-store");
    const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
    const { server } = request;
    const user = token && readAccessToken(server, token, server.settings.jwtSecrets);
    if (!user) throw new ApiError("unauthorized", "A valid access token is needed");
    request.user = user;
  },
  { errorCodes: ["unauthorized" as const] },
);

/** Only those who have one of `roles` at this moment: the token's word for it may be half an hour old. */
function requireRole(...roles: Role[]): Guard {
  return Object.assign(
    async (request: FastifyRequest, reply: FastifyReply) => {
      await requireUser(request, reply);
      request.user.role = await currentRole(request);
      if (!roles.includes(request.user.role))
        throw new ApiError("forbidden", `This needs the role ${roles[0]}`);
    },
    { errorCodes: ["unauthorized" as const, "forbidden" as const] },
  );
}

export const requireStaff = requireRole("barista", "manager");
export const requireManager = requireRole("manager");

/** The id that a path's `user_id` names. What is no id stays as it is, for its schema to refuse. */
export function resolveUserId(userId: string, me: AuthenticatedUser): string {
  if (userId === "me") return me.id;
  return isUuid(userId) ? userId.toLowerCase() : userId;
}

/**
 * The user whom the path's `user_id` names, or a manager. `me` becomes the signed-in user's id, for the handler. For
 * everybody else what belongs to that user isn't there.
 */
export const requireSelfOrManager: Guard = Object.assign(
  async (request: FastifyRequest, reply: FastifyReply) => {
    await requireUser(request, reply);
    request.user.role = await currentRole(request);
    const params = request.params as { user_id: string };
    params.user_id = resolveUserId(params.user_id, request.user);
    const { user_id } = params;
    // What is no id at all is refused by its schema.
    if (user_id === request.user.id || !isUuid(user_id)) return;
    const known = request.user.role === "manager" && (await findRole(request.server.sql, user_id));
    if (!known) throw notFound("User");
  },
  { errorCodes: ["unauthorized" as const, "not_found" as const] },
);

/** The signed-in user's role as the database has it; throws `unauthorized` for one who left. */
export async function currentRole(request: FastifyRequest): Promise<Role> {
  const role = await findRole(request.server.sql, request.user.id);
  if (!role) throw new ApiError("unauthorized", "This account is gone");
  return role;
}

/** Whether the signed-in user is staff at this moment. */
export async function isStaff(request: FastifyRequest): Promise<boolean> {
  return (await currentRole(request)) !== "customer";
}
