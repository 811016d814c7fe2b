import { Type } from "@fastify/type-provider-typebox";
import { text } from "../schemas.ts";

// A form of the OAuth password grant, or the same as JSON. What else OAuth clients send is let through, unread.
export const SignIn = Type.Object(
  {
    username: text(254, { minLength: 1, description: "The email" }),
    password: text(128, { minLength: 1 }),
    grant_type: Type.Optional(Type.Unknown()),
    scope: Type.Optional(Type.Unknown()),
    client_id: Type.Optional(Type.Unknown()),
    client_secret: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: false },
);

export const TokenPair = Type.Object(
  {
    access_token: Type.String({ description: "JWT, for `Authorization: Bearer`" }),
    token_type: Type.Literal("bearer"),
    expires_in: Type.Integer({ description: "Seconds that the access token lives" }),
    refresh_token: Type.String({ description: "Opaque; lives for days" }),
  },
  { $id: "TokenPair" },
);
