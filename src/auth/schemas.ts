import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import {
  Email,
  Id,
  Nullable,
  nonBlankText,
  PersonName,
  PhoneNumber,
  StringEnum,
  Time,
  text,
} from "../http/schemas.ts";

/** Other fields that OAuth clients send. They are removed before the body is validated. */
export const ignoredOauthFields = ["grant_type", "scope", "client_id", "client_secret"];

export const SignIn = Type.Object(
  {
    username: text(254, { minLength: 1, description: "The email" }),
    password: text(128, { minLength: 1 }),
  },
  {
    title: "SignIn",
    description: "The OAuth password grant: `grant_type`, `scope`, `client_id`, `client_secret` are ignored",
    additionalProperties: false,
    patternProperties: { [`^(${ignoredOauthFields.join("|")})$`]: {} },
    examples: [{ username: "customer@example.com", password: "customer123" }],
  },
);

export const TokenPair = Type.Object(
  {
    access_token: Type.String({ description: "JWT, for `Authorization: Bearer`" }),
    token_type: StringEnum(["bearer"], { title: "TokenType" }),
    expires_in: Type.Integer({ description: "Lifetime of the access token in seconds" }),
    refresh_token: Type.String({ description: "Opaque; valid for days" }),
  },
  {
    title: "TokenPair",
    examples: [
      {
        access_token: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTliIn0.c2lnbmF0dXJl",
        token_type: "bearer",
        expires_in: 1800,
        refresh_token: "mBq0Vb1yq0m7Yd5rj0cN1oGxXbqfH3sYw2n8RkTzL4E",
      },
    ],
  },
);
export type TokenPair = Static<typeof TokenPair>;

export const RefreshToken = Type.Object(
  { refresh_token: text(200, { minLength: 1 }) },
  {
    title: "RefreshToken",
    additionalProperties: false,
    examples: [{ refresh_token: "mBq0Vb1yq0m7Yd5rj0cN1oGxXbqfH3sYw2n8RkTzL4E" }],
  },
);

const Password = nonBlankText(128, {
  minLength: 8,
  description: "8 to 128 characters, not only white space",
});

export const SignUp = Type.Object(
  {
    email: Email,
    password: Password,
    first_name: Type.Optional(PersonName),
    last_name: Type.Optional(PersonName),
    phone_number: Type.Optional(PhoneNumber),
  },
  {
    title: "SignUp",
    additionalProperties: false,
    examples: [{ email: "ada@example.com", password: "a long password", first_name: "Ada" }],
  },
);

export const EmailOnly = Type.Object(
  { email: Email },
  { title: "EmailOnly", additionalProperties: false, examples: [{ email: "ada@example.com" }] },
);

// Any other text is a wrong code, not an invalid body.
const Code = text(20, { minLength: 1, description: "The 6 digits from the email" });

export const Verification = Type.Object(
  { email: Email, code: Code },
  {
    title: "Verification",
    additionalProperties: false,
    examples: [{ email: "ada@example.com", code: "483920" }],
  },
);

export const PasswordReset = Type.Object(
  { email: Email, code: Code, password: Password },
  {
    title: "PasswordReset",
    additionalProperties: false,
    examples: [{ email: "ada@example.com", code: "483920", password: "a new long password" }],
  },
);

// Telegram signs lines of `key=value`: a value with a line break could forge another key.
const line = (maxLength: number) => text(maxLength, { pattern: "^[^\\n\\u0000]*$" });

export const TelegramLogin = Type.Object(
  {
    id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, format: "int64" }),
    first_name: Type.Optional(line(256)),
    last_name: Type.Optional(line(256)),
    username: Type.Optional(line(64)),
    photo_url: Type.Optional(line(2000)),
    auth_date: Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      format: "int64",
      description: "Seconds since 1970",
    }),
    hash: text(64, { minLength: 1 }),
  },
  {
    title: "TelegramLogin",
    additionalProperties: false,
    examples: [
      {
        id: 5123456789,
        first_name: "Ada",
        username: "ada",
        auth_date: 1782900000,
        hash: "5b7d1c5c4c1f0f3d9d3b7a5d2a7b8e6f1c0a9e8d7c6b5a493827160594837261",
      },
    ],
  },
);
export type TelegramLogin = Static<typeof TelegramLogin>;

export const Session = Type.Object(
  {
    id: Id,
    user_agent: Nullable(Type.String({ description: "The device's User-Agent at sign-in" })),
    created_at: Time,
    last_used_at: Time,
  },
  { title: "Session", description: "A signed-in device" },
);
export type Session = Static<typeof Session>;
