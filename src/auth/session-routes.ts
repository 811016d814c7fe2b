import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { notFound } from "../http/errors.ts";
import { Page, pageQuery, paginate } from "../http/pagination.ts";
import { Id, UserId } from "../http/schemas.ts";
import { requireSelfOrManager } from "./guards.ts";
import { endSession, listSessions } from "./queries.ts";
import { Session } from "./schemas.ts";

const tags = ["users"];
const params = Type.Object({ user_id: UserId });

export const sessionRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    "/users/:user_id/sessions",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "listSessions",
        tags,
        summary: "Signed-in devices, newest first",
        params,
        querystring: Type.Object(pageQuery),
        response: { 200: Page(Session) },
      },
    },
    async (request) => paginate(request.query, (page) => listSessions(app.sql, request.params.user_id, page)),
  );

  app.delete(
    "/users/:user_id/sessions/:session_id",
    {
      onRequest: requireSelfOrManager,
      schema: {
        operationId: "endSession",
        tags,
        summary: "Sign a device out: its refresh tokens stop working",
        params: Type.Object({ user_id: UserId, session_id: Id }),
        response: { 204: Type.Null({ description: "The session has ended" }) },
      },
    },
    async (request, reply) => {
      if (!(await endSession(app.sql, request.params.user_id, request.params.session_id)))
        throw notFound("Session");
      return reply.code(204).send(null);
    },
  );
};
