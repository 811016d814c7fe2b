import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Email, Id, Nullable, OneOf, PersonName, PhoneNumber, Time } from "../schemas.ts";
import { roles } from "./queries.ts";

export const User = Type.Object(
  {
    id: Id,
    email: Nullable(Type.String({ description: "null for who signs in through Telegram alone" })),
    pending_email: Nullable(
      Type.String({ description: "The address to sign in with once `POST /auth/verify` has proved it" }),
    ),
    role: OneOf(roles),
    first_name: Nullable(Type.String()),
    last_name: Nullable(Type.String()),
    phone_number: Nullable(Type.String()),
    verified: Type.Boolean(),
    created_at: Time,
    updated_at: Time,
  },
  { $id: "User" },
);
export type User = Static<typeof User>;

const person = {
  first_name: Nullable(PersonName),
  last_name: Nullable(PersonName),
  phone_number: Nullable(PhoneNumber),
};
const account = {
  email: Type.Optional(Email),
  role: Type.Optional(OneOf(roles, { description: "Managers change it, and never their own" })),
};

export const UserReplacement = Type.Object({ ...person, ...account }, { additionalProperties: false });

export const UserPatch = Type.Partial(UserReplacement, { additionalProperties: false, minProperties: 1 });
export type UserPatch = Static<typeof UserPatch>;

export const providers = ["telegram"] as const;
export type Provider = (typeof providers)[number];

export const Identity = Type.Object(
  {
    id: Id,
    user_id: Id,
    provider: OneOf(providers),
    provider_id: Type.String(),
    username: Nullable(Type.String()),
    created_at: Time,
  },
  { $id: "Identity", description: "A way to sign in that someone else vouches for" },
);
export type Identity = Static<typeof Identity>;
