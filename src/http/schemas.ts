import { Type } from "@fastify/type-provider-typebox";
import type { Static, StringOptions, TSchema, TUnsafe } from "@sinclair/typebox";
import { type Code, codes } from "./errors.ts";

export const Id = Type.String({ format: "uuid" });
/** In a path; `me` is the signed-in user, and an id by the time that a handler sees it. */
export const UserId = Type.String({
  pattern: "^(me|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$",
  description: "A user's id, or `me`",
});
export const Time = Type.String({ format: "date-time", description: "RFC 3339, UTC" });
export const Cents = Type.Integer({ minimum: 0, description: "Money in cents" });

/** Text of at most `maxLength` characters. PostgreSQL can't store NUL: each pattern excludes it. */
export const text = (
  maxLength: number,
  options: Pick<StringOptions, "minLength" | "pattern" | "description"> = {},
) => Type.String({ maxLength, pattern: "^[^\\u0000]*$", ...options });

/** Text with at least one character that isn't white space. */
export const nonBlankText = (maxLength: number, options: { minLength?: number; description?: string } = {}) =>
  text(maxLength, { minLength: 1, pattern: "^\\s*[^\\s\\u0000][^\\u0000]*$", ...options });

/** Shown to everybody: a web address, or a path on this site; never `javascript:` and its like. */
export const Link = text(2000, { pattern: "^(https?://[^\\s\\u0000]+|/[^\\s\\u0000]*)$" });
/** Where something stands among its like, the smallest first. */
export const SortOrder = Type.Integer({ minimum: -1_000_000, maximum: 1_000_000 });
// As browsers check it, but for a domain of one word, which nobody can write to.
export const Email = text(254, {
  pattern: "^\\s*[\\w.!#$%&'*+/=?^`{|}~-]{1,64}@([a-zA-Z0-9-]{1,63}\\.)+[a-zA-Z0-9-]{2,63}\\s*$",
  description: "An email address; its case and blanks around it don't count",
});
/** The one form in which an address is stored and compared. */
export const toEmail = (address: string) => address.trim().toLowerCase();

// Shown in the shop and called across the counter.
export const PersonName = nonBlankText(100);
export const PhoneNumber = text(32, { pattern: "^\\+?[0-9][0-9 ().-]{3,30}$" });

/** `schema` or null, as `type: [T, "null"]`. Not for enums, whose values would need null too. */
export const Nullable = <T extends TSchema>(schema: T): TUnsafe<Static<T> | null> =>
  Type.Unsafe({ ...schema, type: [schema.type, "null"] });

/** A plain `{ type: "string", enum }`, which generators turn into real enums, by the name of its title. */
export const StringEnum = <const T extends string>(
  values: readonly T[],
  options: { title?: string; description?: string } = {},
) => Type.Unsafe<T>({ type: "string", enum: [...values], ...options });

/** Any JSON object: what others made, or what is theirs alone. */
export const JsonObject = Type.Unsafe<Record<string, unknown>>(
  Type.Object({}, { additionalProperties: true }),
);

export const ErrorCode = StringEnum(Object.keys(codes) as Code[], {
  title: "ErrorCode",
  description: "The closed list of reasons. What each means is said with the answers that have it.",
});

const FieldError = Type.Object(
  {
    path: Type.String({ description: "JSON pointer to the field" }),
    message: Type.String(),
    row: Type.Optional(Type.Integer({ description: "Of an import: 1 is the first after the header" })),
  },
  { title: "FieldError" },
);

const ProviderRefusal = Type.Object(
  {
    status: Nullable(Type.Integer({ description: "Its HTTP status; null if it did not answer" })),
    message: Type.String(),
  },
  {
    title: "ProviderRefusal",
    description: "What the payment provider said, as far as a customer may see it",
  },
);

export const Problem = Type.Object(
  {
    type: Type.String({ description: "A URN of the code" }),
    title: Type.String({ description: "The status in words" }),
    status: Type.Integer(),
    code: ErrorCode,
    detail: Type.String({ description: "For whoever reads it; programs read the code" }),
    request_id: Type.String({ description: "As in the header X-Request-Id, and in our log" }),
    errors: Type.Optional(Type.Array(FieldError, { description: "Every bad field, where there are such" })),
    expected_total_cents: Type.Optional(
      Type.Integer({ description: "Of `total_mismatch`: what the order costs now" }),
    ),
    provider: Type.Optional(ProviderRefusal),
  },
  { title: "Problem", description: "Every answer from 400 up (RFC 9457)" },
);
