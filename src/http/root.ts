import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { version } from "../config.ts";

export const rootRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { apiPrefix } = app.settings;
  app.get(
    "/",
    {
      schema: {
        operationId: "readRoot",
        tags: ["operations"],
        summary: "Read the name, the version and the entry links",
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
