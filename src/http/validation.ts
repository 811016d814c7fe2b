import { type TSchema, TypeBoxValidatorCompiler } from "@fastify/type-provider-typebox";
import {
  FormatRegistry,
  Kind,
  OptionalKind,
  type StringOptions,
  Type,
  TypeRegistry,
} from "@sinclair/typebox";
import { DefaultErrorFunction, SetErrorFunction, ValueErrorType } from "@sinclair/typebox/errors";
import { Value } from "@sinclair/typebox/value";
import type { FastifyInstance, FastifySchemaCompiler, preValidationHookHandler } from "fastify";
import { ApiError, type FieldError } from "./errors.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const rfc3339 =
  /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;
/** As a time is answered, in UTC, its year has four digits too; PostgreSQL has no year 0. In milliseconds. */
export const earliestTime = Date.parse("0001-01-01T00:00:00Z");
const latestTime = Date.parse("9999-12-31T23:59:59Z");

function isDateTime(value: string): boolean {
  const day = rfc3339.exec(value)?.[1];
  // Date takes February 30 for March 2.
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(day!)) return false;
  const time = Date.parse(value);
  return time >= earliestTime && time <= latestTime;
}

export const isUuid = (value: string) => uuid.test(value);

FormatRegistry.Set("uuid", isUuid);
FormatRegistry.Set("date-time", isDateTime);
FormatRegistry.Set("uri", (value) => /^https?:$/.test(URL.parse(value)?.protocol ?? ""));
TypeRegistry.Set<{ enum: string[] }>("StringEnum", (schema, value) => schema.enum.includes(value as string));

/**
 * JSON Schema counts characters; TypeBox's own strings count one beyond the Basic Multilingual Plane, as emoji are,
 * twice.
 */
TypeRegistry.Set<StringOptions>("Text", (schema, value) => textError(schema, value) === undefined);

function textError({ minLength = 0, maxLength = Infinity, pattern }: StringOptions, value: unknown) {
  if (typeof value !== "string") return "Expected string";
  // Not taken apart if it is far too long.
  const length = value.length > 2 * maxLength ? value.length : [...value].length;
  if (length < minLength) return `Expected string length greater or equal to ${minLength}`;
  if (length > maxLength) return `Expected string length less or equal to ${maxLength}`;
  if (!pattern || compiled(pattern).test(value)) return undefined;
  return minLength > 0 && value.trim() === ""
    ? "Expected text that isn't blank"
    : `Expected string to match '${pattern}'`;
}

const patterns = new Map<string, RegExp>();

function compiled(pattern: string): RegExp {
  const known = patterns.get(pattern);
  if (known) return known;
  const made = new RegExp(pattern);
  patterns.set(pattern, made);
  return made;
}

TypeRegistry.Set("Described", (_schema, value) => typeof value === "string");

/** Where a nullable schema keeps what it is when it isn't null. */
export const notNull: unique symbol = Symbol("notNull");
TypeRegistry.Set<Record<typeof notNull, TSchema>>(
  "Nullable",
  (schema, value) => value === null || Value.Check(schema[notNull], value),
);

SetErrorFunction((error) => {
  if (error.errorType !== ValueErrorType.Kind) return DefaultErrorFunction(error);
  if (error.schema[Kind] === "StringEnum") return `Expected one of ${error.schema.enum.join(", ")}`;
  if (error.schema[Kind] === "Text") return textError(error.schema, error.value)!;
  if (error.schema[Kind] === "Described") return "Expected string";
  return `${Value.Errors((error.schema as unknown as Record<typeof notNull, TSchema>)[notNull], error.value).First()?.message}, or null`;
});

// Deeper than anything a client means, and far from where recursion in a parser or PostgreSQL would hurt.
const maxDepth = 32;

/**
 * PostgreSQL can't store NUL in text, and half a surrogate pair is no character: both are refused here, once, for
 * every body, query and path. Iterative, for the nesting is the sender's choice.
 */
function findUnstorableText(root: unknown): FieldError[] {
  const errors: FieldError[] = [];
  const queue: Part[] = [{ value: root, key: "", parent: undefined, depth: 0 }];
  for (let part = queue.pop(); part; part = queue.pop()) {
    const { value, depth } = part;
    if (typeof value === "string" && !isStorable(value))
      errors.push({ path: pathOf(part), message: "Expected text without NUL or broken characters" });
    if (typeof value !== "object" || value === null) continue;
    if (depth === maxDepth)
      return [{ path: pathOf(part), message: `Expected at most ${maxDepth} levels of nesting` }];
    for (const key of Object.keys(value)) {
      if (!isStorable(key))
        errors.push({ path: pathOf(part), message: "Expected keys without NUL or broken characters" });
      queue.push({ value: (value as Record<string, unknown>)[key], key, parent: part, depth: depth + 1 });
    }
  }
  return errors;
}

interface Part {
  value: unknown;
  key: string;
  parent: Part | undefined;
  depth: number;
}

const isStorable = (text: string) => !text.includes("\0") && text.isWellFormed();

/** The JSON pointer to a part. */
const pathOf = ({ key, parent }: Part): string =>
  parent ? `${pathOf(parent)}/${key.replace(/~/g, "~0").replace(/\//g, "~1")}` : "";

/** Queries and paths are text on the wire: whole numbers and booleans that are written exactly so become such. */
function fromText(schema: TSchema, value: unknown): unknown {
  return Object.fromEntries(
    Object.entries(value as Record<string, unknown>).map(([key, text]) => {
      const type = schema.properties?.[key]?.type;
      if (type === "integer" && /^-?\d{1,15}$/.test(String(text))) return [key, Number(text)];
      if (type === "boolean" && (text === "true" || text === "false")) return [key, text === "true"];
      return [key, text];
    }),
  );
}

/**
 * Compiles a TypeBox schema into Fastify's validator. Bodies are taken as they are: nothing is converted, defaulted
 * or dropped. Throws `validation_failed` naming every bad field once.
 */
export const strictValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart, method, url }) => {
  // A response's schema may be a `$ref`; only what comes in is checked here.
  if (schema[Kind] === undefined) throw new Error(`${method} ${url}: ${httpPart} is no TypeBox schema`);
  // Made when the route is first asked: all at once they would hold up the start.
  let check: ReturnType<typeof TypeBoxValidatorCompiler> | undefined;
  return (input: unknown) => {
    // Fastify's word for no body at all.
    if (input === null && schema[OptionalKind]) return { value: undefined };
    const value = httpPart === "body" ? input : fromText(schema, input);
    check ??= TypeBoxValidatorCompiler({ schema, method, url, httpPart: "body" });
    const result = check(value) as { value?: unknown; error?: { instancePath: string; message: string }[] };
    const broken = findUnstorableText(value);
    if (!result.error && broken.length === 0) return { value: result.value };
    const firstOfPath = new Map(broken.map((error) => [error.path, error]));
    for (const { instancePath: path, message } of result.error ?? [])
      if (!firstOfPath.has(path)) firstOfPath.set(path, { path, message });
    return { error: validationFailed([...firstOfPath.values()]) };
  };
};

const validationFailed = (errors: FieldError[]) =>
  new ApiError(
    "validation_failed",
    errors
      .map(({ path, message }) => `${path || "the body"}: ${message}`)
      .slice(0, 5)
      .join("; "),
    { errors: errors.slice(0, 100) },
  );

/** Where a route that writes takes no body, one that says something is a mistake. */
export function rejectUnexpectedBodies(app: FastifyInstance) {
  const schema = Type.Optional(Type.Object({}, { additionalProperties: false }));
  app.addHook("onRoute", (route) => {
    const { method, url } = route as { method: string; url: string };
    if (route.schema?.body || method === "GET" || method === "HEAD") return;
    const check = strictValidator({ schema, httpPart: "body", method, url }) as (body: unknown) => {
      error?: Error;
    };
    const refuseBody: preValidationHookHandler = ({ body = null }, _reply, done) => done(check(body).error);
    route.preValidation = [refuseBody, ...[route.preValidation ?? []].flat()];
  });
}
