import { Type } from "@fastify/type-provider-typebox";
import type { Static, StringOptions, TSchema, TUnsafe } from "@sinclair/typebox";
import { type Code, codes } from "./errors.ts";

export const Id = Type.String({ format: "uuid" });
/** In a path. The guard replaces `me` by the id of the signed-in user. */
export const UserId = Type.String({
  pattern: "^(me|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$",
  description: "A user's id, or `me`",
});
export const Time = Type.String({ format: "date-time", description: "RFC 3339, UTC" });
export const Cents = Type.Integer({ minimum: 0, description: "Money in cents" });

/** PostgreSQL can't store NUL: each pattern excludes it. */
export const text = (
  maxLength: number,
  options: Pick<StringOptions, "minLength" | "pattern" | "description"> = {},
) => Type.String({ maxLength, pattern: "^[^\\u0000]*$", ...options });

export const nonBlankText = (maxLength: number, options: { minLength?: number; description?: string } = {}) =>
  text(maxLength, { minLength: 1, pattern: "^\\s*[^\\s\\u0000][^\\u0000]*$", ...options });

/** Rejects schemes such as `javascript:`. */
export const Link = text(2000, { pattern: "^(https?://[^\\s\\u0000]+|/[^\\s\\u0000]*)$" });
export const SortOrder = Type.Integer({ minimum: -1_000_000, maximum: 1_000_000 });
// The check of browsers, except that the domain needs a dot.
export const Email = text(254, {
  pattern: "^\\s*[\\w.!#$%&'*+/=?^`{|}~-]{1,64}@([a-zA-Z0-9-]{1,63}\\.)+[a-zA-Z0-9-]{2,63}\\s*$",
  description: "An email address. Case and surrounding spaces are ignored",
});
/** Returns the form in which an address is stored and compared. */
export const toEmail = (address: string) => address.trim().toLowerCase();

export const PersonName = nonBlankText(100);
export const PhoneNumber = text(32, { pattern: "^\\+?[0-9][0-9 ().-]{3,30}$" });

/** `schema` or null, as `type: [T, "null"]`. Not for enums, whose values would need null too. */
export const Nullable = <T extends TSchema>(schema: T): TUnsafe<Static<T> | null> =>
  Type.Unsafe({ ...schema, type: [schema.type, "null"] });

/** Client generators turn this into an enum that has the name of its title. */
export const StringEnum = <const T extends string>(
  values: readonly T[],
  options: { title?: string; description?: string } = {},
) => Type.Unsafe<T>({ type: "string", enum: [...values], ...options });

export const JsonObject = Type.Unsafe<Record<string, unknown>>(
  Type.Object({}, { additionalProperties: true }),
);

export const ErrorCode = StringEnum(Object.keys(codes) as Code[], {
  title: "ErrorCode",
  description: "The closed list of error codes. Each response describes its own codes.",
});

const FieldError = Type.Object(
  {
    path: Type.String({ description: "JSON pointer to the field" }),
    message: Type.String(),
    row: Type.Optional(
      Type.Integer({ description: "Row of an import; 1 is the first row after the header" }),
    ),
  },
  { title: "FieldError" },
);

const ProviderRefusal = Type.Object(
  {
    status: Nullable(Type.Integer({ description: "HTTP status; null if no response came" })),
    message: Type.String(),
  },
  {
    title: "ProviderRefusal",
    description: "The part of the payment provider's response that the customer may see",
  },
);

export const Problem = Type.Object(
  {
    type: Type.String({ description: "URN of the code" }),
    title: Type.String({ description: "Reason phrase of the status" }),
    status: Type.Integer(),
    code: ErrorCode,
    detail: Type.String({ description: "For people; programs read `code`" }),
    request_id: Type.String({ description: "The value of X-Request-Id, also in the server's log" }),
    errors: Type.Optional(Type.Array(FieldError, { description: "Every invalid field" })),
    expected_total_cents: Type.Optional(
      Type.Integer({ description: "With `total_mismatch`: the current total" }),
    ),
    provider: Type.Optional(ProviderRefusal),
  },
  { title: "Problem", description: "Body of every response from 400 up (RFC 9457)" },
);
