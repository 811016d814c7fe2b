import { OptionalKind, type TSchema, Type } from "@sinclair/typebox";
import { Ajv, type ErrorObject } from "ajv";
import type { FastifyInstance, FastifySchemaCompiler, preValidationHookHandler } from "fastify";
import { ApiError, type FieldError } from "./errors.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
export const isUuid = (value: string) => uuid.test(value);

const rfc3339 =
  /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;
/** Milliseconds. In UTC a year has four digits, and PostgreSQL has no year 0. */
export const earliestTime = Date.parse("0001-01-01T00:00:00Z");
const latestTime = Date.parse("9999-12-31T23:59:59Z");

function isDateTime(value: string): boolean {
  const day = rfc3339.exec(value)?.[1];
  // Date reads February 30 as March 2.
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(day!)) return false;
  const time = Date.parse(value);
  return time >= earliestTime && time <= latestTime;
}

const options = {
  allErrors: true,
  verbose: true,
  allowUnionTypes: true,
  // Each start compiles 130 schemas: skips the meta-schema and the code optimizer.
  validateSchema: false,
  meta: false,
  code: { optimize: false },
  formats: {
    uuid: isUuid,
    "date-time": isDateTime,
    uri: (value: string) => /^https?:$/.test(URL.parse(value)?.protocol ?? ""),
    // Formats for the OpenAPI document. The list that reads a cursor checks it.
    cursor: true,
    int64: true,
    double: true,
  },
} as const;
const bodies = new Ajv(options);
const texts = new Ajv({ ...options, coerceTypes: true });

/** Converts query and path parameters, not bodies. Rejects unknown query parameters. Handlers check headers. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  if (httpPart === "headers") return () => true;
  const check =
    httpPart === "body"
      ? bodies.compile(schema)
      : texts.compile(httpPart === "querystring" ? { ...schema, additionalProperties: false } : schema);
  return (input: unknown) => {
    // Fastify passes null for an absent body.
    if (input === null && schema[OptionalKind]) return { value: undefined };
    const errors = findUnstorableText(input);
    if (httpPart !== "body") errors.push(...findInexactIntegers(schema, input as Record<string, unknown>));
    if (!check(input)) errors.push(...check.errors!.map(toFieldError));
    return errors.length === 0 ? { value: input } : { error: validationFailed(errors) };
  };
};

/** Reports one error for each field, at most 100. */
function validationFailed(found: FieldError[]) {
  const errors = [...new Map(found.toReversed().map((error) => [error.path, error])).values()].reverse();
  const detail = errors.slice(0, 5).map(({ path, message }) => `${path || "the body"}: ${message}`);
  return new ApiError("validation_failed", detail.join("; "), { errors: errors.slice(0, 100) });
}

/** Rejects a body on each route that writes and declares none. An empty object is accepted. */
export function rejectUnexpectedBodies(app: FastifyInstance) {
  const schema = Type.Optional(Type.Object({}, { additionalProperties: false }));
  const check = validatorCompiler({ schema, httpPart: "body", method: "POST", url: "/" });
  const rejectBody: preValidationHookHandler = ({ body = null }, _reply, done) => {
    const { error } = check(body) as { error?: Error };
    done(error);
  };
  app.addHook("onRoute", (route) => {
    if (route.schema?.body || route.method === "GET" || route.method === "HEAD") return;
    route.preValidation = [rejectBody, ...[route.preValidation ?? []].flat()];
  });
}

const escapeKey = (key: string) => key.replace(/~/g, "~0").replace(/\//g, "~1");

/** Points to the field itself, also when the key is missing or unknown. */
function toFieldError(error: ErrorObject): FieldError {
  const { instancePath, params } = error;
  const key: string | undefined = params.missingProperty ?? params.additionalProperty;
  const path = key === undefined ? instancePath : `${instancePath}/${escapeKey(key)}`;
  return { path, message: toMessage(error) };
}

function toMessage({ keyword, params, parentSchema, data, message }: ErrorObject): string {
  const { type, enum: values, minLength } = parentSchema as { type: string | string[] } & TSchema;
  const [name, orNull] = Array.isArray(type) ? [type[0], ", or null"] : [type, ""];
  const { limit } = params;
  if (keyword === "required") return "Expected required property";
  if (keyword === "additionalProperties") return "Unexpected property";
  if (values) return `Expected one of ${values.join(", ")}`;
  if (keyword === "pattern" && minLength > 0 && (data as string).trim() === "")
    return "Expected text that isn't blank";
  const expected = {
    type: name,
    pattern: `string to match '${params.pattern}'`,
    format: `string to match '${params.format}' format`,
    minLength: `string length greater or equal to ${limit}`,
    maxLength: `string length less or equal to ${limit}`,
    minimum: `${name} to be greater or equal to ${limit}`,
    maximum: `${name} to be less or equal to ${limit}`,
    minItems: `array length to be greater or equal to ${limit}`,
    maxItems: `array length to be less or equal to ${limit}`,
    minProperties: `object to have at least ${limit} properties`,
  }[keyword];
  return expected ? `Expected ${expected}${orNull}` : message!;
}

/** Ajv would take " 10", "1e1" and "0x10" for integers. */
const findInexactIntegers = ({ properties }: TSchema, input: Record<string, unknown>): FieldError[] =>
  Object.entries(input)
    .filter(([key, value]) => {
      const schema = Object.hasOwn(properties, key) ? properties[key] : {};
      return schema.type === "integer" && !/^-?(0|[1-9]\d{0,14})$/.test(String(value));
    })
    .map(([key]) => ({ path: `/${escapeKey(key)}`, message: "Expected integer" }));

const maxDepth = 32;

interface Part {
  value: unknown;
  key: string;
  parent: Part | undefined;
  depth: number;
}

/** Finds NUL, half surrogate pairs and nesting over 32 levels. Iterative, because the client chooses the depth. */
function findUnstorableText(root: unknown): FieldError[] {
  const errors: FieldError[] = [];
  const queue: Part[] = [{ value: root, key: "", parent: undefined, depth: 0 }];
  for (let part = queue.pop(); part; part = queue.pop()) {
    const { value, depth } = part;
    if (typeof value === "string" && !isStorable(value))
      errors.push({ path: pointerTo(part), message: "Expected text without NUL or broken characters" });
    if (typeof value !== "object" || value === null) continue;
    if (depth === maxDepth)
      return [{ path: pointerTo(part), message: `Expected at most ${maxDepth} levels of nesting` }];
    for (const key of Object.keys(value)) {
      if (!isStorable(key))
        errors.push({ path: pointerTo(part), message: "Expected keys without NUL or broken characters" });
      queue.push({ value: (value as Record<string, unknown>)[key], key, parent: part, depth: depth + 1 });
    }
  }
  return errors;
}

const isStorable = (text: string) => !text.includes("\0") && text.isWellFormed();

const pointerTo = ({ key, parent }: Part): string => (parent ? `${pointerTo(parent)}/${escapeKey(key)}` : "");
