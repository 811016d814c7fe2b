import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Email, Id, Nullable, PersonName, PhoneNumber, StringEnum, Time } from "../http/schemas.ts";

export const roles = ["customer", "barista", "manager"] as const;
export const Role = StringEnum(roles, { title: "Role" });
export type Role = Static<typeof Role>;

export const User = Type.Object(
  {
    id: Id,
    email: Nullable(Type.String({ description: "null if the user has no email" })),
    pending_email: Nullable(
      Type.String({ description: "The address to sign in with after `POST /auth/verify`" }),
    ),
    role: Role,
    first_name: Nullable(Type.String()),
    last_name: Nullable(Type.String()),
    phone_number: Nullable(Type.String()),
    verified: Type.Boolean(),
    created_at: Time,
    updated_at: Time,
  },
  { title: "User" },
);
export type User = Static<typeof User>;

const person = {
  first_name: Nullable(PersonName),
  last_name: Nullable(PersonName),
  phone_number: Nullable(PhoneNumber),
};
const account = {
  email: Type.Optional(Email),
  role: Type.Optional(Role),
};

export const UserReplacement = Type.Object(
  { ...person, ...account },
  {
    title: "UserReplacement",
    additionalProperties: false,
    examples: [{ first_name: "Ada", last_name: "Lovelace", phone_number: null }],
  },
);

export const UserPatch = Type.Partial(UserReplacement, {
  title: "UserPatch",
  additionalProperties: false,
  minProperties: 1,
  examples: [{ phone_number: "+44 20 7946 0958" }],
});
export type UserPatch = Static<typeof UserPatch>;

export const IdentityProvider = StringEnum(["telegram"], { title: "IdentityProvider" });
export type Provider = Static<typeof IdentityProvider>;

export const Identity = Type.Object(
  {
    id: Id,
    user_id: Id,
    provider: IdentityProvider,
    provider_id: Type.String(),
    username: Nullable(Type.String()),
    created_at: Time,
  },
  { title: "Identity", description: "A way to sign in through another provider" },
);
export type Identity = Static<typeof Identity>;

export const IdentityCheck = Type.Object(
  { status: StringEnum(["registered", "not_registered"], { title: "IdentityStatus" }) },
  { title: "IdentityCheck" },
);
