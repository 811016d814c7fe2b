import { Type } from "@fastify/type-provider-typebox";
import type { Static } from "@sinclair/typebox";
import { Email, Id, Nullable, PersonName, PhoneNumber, Time, text } from "../schemas.ts";

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
export type TokenPair = Static<typeof TokenPair>;

export const RefreshToken = Type.Object(
  { refresh_token: text(200, { minLength: 1 }) },
  { additionalProperties: false },
);

const Password = text(128, {
  minLength: 8,
  // A password of blanks alone is a slip.
  pattern: "\\S",
  description: "8 to 128 characters, not only blanks",
});

export const SignUp = Type.Object(
  {
    email: Email,
    password: Password,
    first_name: Type.Optional(PersonName),
    last_name: Type.Optional(PersonName),
    phone_number: Type.Optional(PhoneNumber),
  },
  { additionalProperties: false },
);

export const EmailOnly = Type.Object({ email: Email }, { additionalProperties: false });

// Whatever is no code of ours is simply a wrong one.
const Code = text(20, { minLength: 1, description: "The 6 digits of the message" });

export const Verification = Type.Object({ email: Email, code: Code }, { additionalProperties: false });

export const PasswordReset = Type.Object(
  { email: Email, code: Code, password: Password },
  { additionalProperties: false },
);

// Telegram signs lines of `key=value`: a value of two lines could pass for another key.
const line = (maxLength: number) => text(maxLength, { pattern: "^[^\\n]*$" });

/** What the Telegram Login widget gives, as it is. */
export const TelegramLogin = Type.Object(
  {
    id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    first_name: Type.Optional(line(256)),
    last_name: Type.Optional(line(256)),
    username: Type.Optional(line(64)),
    photo_url: Type.Optional(line(2000)),
    auth_date: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    hash: text(64, { minLength: 1 }),
  },
  { additionalProperties: false },
);
export type TelegramLogin = Static<typeof TelegramLogin>;

export const Session = Type.Object(
  {
    id: Id,
    user_agent: Nullable(Type.String({ description: "What the device called itself when it signed in" })),
    created_at: Time,
    last_used_at: Time,
  },
  { $id: "Session", description: "A signed-in device" },
);
export type Session = Static<typeof Session>;
