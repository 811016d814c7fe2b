// Access rules of routes. A route names one in `onRequest`, so that it runs before params, query and body are validated.
import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError, type Guard, notFound } from "../http/errors.ts";
import { isUuid } from "../http/validation.ts";
import { findRole } from "../users/queries.ts";
import type { Role } from "../users/schemas.ts";
import { type AuthenticatedUser, readAccessToken } from "./tokens.ts";

/** Sets `request.user` from the access token. Throws `unauthorized`. Responses are private, so `no-store`. */
export const requireUser: Guard = Object.assign(
  async (request: FastifyRequest, reply: FastifyReply) => {
    reply.header("cache-control", "no-store");
    const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
    const { server } = request;
    const user = token && readAccessToken(server, token, server.settings.jwtSecrets);
    if (!user) throw new ApiError("unauthorized", "A valid access token is required");
    request.user = user;
  },
  { errorCodes: ["unauthorized" as const] },
);

/** Requires one of `roles`. Reads the role from the database, since the token's may be outdated. */
function requireRole(...roles: Role[]): Guard {
  return Object.assign(
    async (request: FastifyRequest, reply: FastifyReply) => {
      await requireUser(request, reply);
      request.user.role = await currentRole(request);
      if (!roles.includes(request.user.role))
        throw new ApiError("forbidden", `This requires the role ${roles[0]}`);
    },
    { errorCodes: ["unauthorized" as const, "forbidden" as const] },
  );
}

export const requireStaff = requireRole("barista", "manager");
export const requireManager = requireRole("manager");

/** Returns the id that a path's `user_id` stands for. Returns a malformed id as it is, for validation to reject. */
export function resolveUserId(userId: string, me: AuthenticatedUser): string {
  if (userId === "me") return me.id;
  return isUuid(userId) ? userId.toLowerCase() : userId;
}

/** Throws `not_found` unless the user is the path's `user_id` or a manager. Replaces `me` by the user's id. */
export const requireSelfOrManager: Guard = Object.assign(
  async (request: FastifyRequest, reply: FastifyReply) => {
    await requireUser(request, reply);
    request.user.role = await currentRole(request);
    const params = request.params as { user_id: string };
    params.user_id = resolveUserId(params.user_id, request.user);
    const { user_id } = params;
    // Validation rejects a malformed id.
    if (user_id === request.user.id || !isUuid(user_id)) return;
    const allowed = request.user.role === "manager" && (await findRole(request.server.sql, user_id));
    if (!allowed) throw notFound("User");
  },
  { errorCodes: ["unauthorized" as const, "not_found" as const] },
);

/** Returns the signed-in user's role from the database. Throws `unauthorized` for a deleted user. */
export async function currentRole(request: FastifyRequest): Promise<Role> {
  const role = await findRole(request.server.sql, request.user.id);
  if (!role) throw new ApiError("unauthorized", "This account has been deleted");
  return role;
}

export async function isStaff(request: FastifyRequest): Promise<boolean> {
  return (await currentRole(request)) !== "customer";
}
