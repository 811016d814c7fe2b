import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { version } from "../config.ts";

/** What answers at `/`: the way to everything else. */
export const rootRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { apiPrefix } = app.settings;
  app.get(
    "/",
    {
      schema: {
        operationId: "readRoot",
        tags: ["operations"],
        summary: "What this is, and where to go on",
        response: {
          200: Type.Object(
            {
              name: Type.String(),
              version: Type.String(),
              links: Type.Object({}, { additionalProperties: Type.String() }),
            },
            { title: "ServiceRoot" },
          ),
        },
      },
    },
    async () => ({
      name: "Ristretto",
      version,
      links: { docs: "/docs", redoc: "/redoc", menu: `${apiPrefix}/menu`, health: `${apiPrefix}/health` },
    }),
  );
};
