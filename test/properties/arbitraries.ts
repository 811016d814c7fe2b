// Input made from the document's schemas: what they allow, and each way to break them that they forbid.
import fc, { type Arbitrary } from "fast-check";

/** The keywords that can be made input from. */
export interface Schema {
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  patternProperties?: Record<string, Schema>;
  minProperties?: number;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
}

const keywords = new Set(
  (
    "type enum const anyOf properties required additionalProperties patternProperties minProperties items minItems maxItems " +
    "minLength maxLength pattern format minimum maximum title description examples example default deprecated $id"
  ).split(" "),
);

/** Gives the schema; throws if it says what no input is made of here, so that none goes untested for it. */
function understood(schema: Schema): Schema {
  const unknown = Object.keys(schema).filter((key) => !keywords.has(key) && !key.startsWith("x-"));
  if (unknown.length > 0)
    throw new Error(`teach test/arbitraries.ts the keyword ${unknown}: ${JSON.stringify(schema)}`);
  return schema;
}

export interface Source {
  /** What a `$ref` stands for. */
  resolve: <T extends object>(schema: T) => T;
  /** By a property's name: values that mean something, such as ids that exist, instead of any. */
  hints: Record<string, Arbitrary<unknown>>;
}

const typesOf = ({ type }: Schema): string[] => [type ?? []].flat();

/** Any value that the schema allows; `name` is the property that it is for. */
export function allowed(given: Schema, source: Source, name = ""): Arbitrary<unknown> {
  const schema = understood(source.resolve(given));
  const hint = Object.hasOwn(source.hints, name) ? source.hints[name] : undefined;
  return hint ?? allowedBy(schema, source, name);
}

function allowedBy(schema: Schema, source: Source, name: string): Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => allowed(one, source, name)));
  const types = typesOf(schema);
  if (types.length === 0) return anyJson;
  return fc.oneof(...types.map((type) => makers[type]!(schema, source, name)));
}

// Of its keys, __proto__ is refused wherever it stands.
const anyJson = fc
  .jsonValue({ maxDepth: 3, stringUnit: "grapheme" })
  .filter((value) => !/"(__proto__|constructor)":/.test(JSON.stringify(value)));

const makers: Record<string, (schema: Schema, source: Source, name: string) => Arbitrary<unknown>> = {
  null: () => fc.constant(null),
  boolean: () => fc.boolean(),
  integer: ({ minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER }) =>
    fc.integer({ min: minimum, max: maximum }),
  number: ({ minimum = -1e300, maximum = 1e300 }) => fc.double({ min: minimum, max: maximum, noNaN: true }),
  string: (schema) => allowedText(schema),
  array: ({ items = {}, minItems = 0, maxItems = 100 }, source, name) =>
    fc.array(allowed(items, source, name.replace(/s$/, "")), { minLength: minItems, maxLength: maxItems }),
  object: (schema, source) => {
    const { properties = {}, required = [], minProperties = 0, patternProperties = {} } = schema;
    const { additionalProperties } = schema;
    const named = Object.entries(properties).map(([key, schema]) => [key, allowed(schema, source, key)]);
    const record = fc.record(Object.fromEntries(named), {
      requiredKeys: required as never[],
      noNullPrototype: true,
    });
    const patterns = Object.entries(patternProperties).map(([pattern, schema]) =>
      fc.dictionary(fc.stringMatching(new RegExp(pattern)), allowed(schema, source), { maxKeys: 2 }),
    );
    if (typeof additionalProperties !== "object")
      return fc
        .tuple(record, ...patterns)
        .map((parts) => Object.assign({}, ...parts))
        .filter((value) => Object.keys(value).length >= minProperties);
    const more = fc.dictionary(anyKey, allowed(additionalProperties, source), {
      maxKeys: 4,
      noNullPrototype: true,
    });
    return fc.tuple(more, record).map(([others, value]) => ({ ...others, ...(value as object) }));
  },
};

/** All of Unicode but NUL, which no text may have. */
const character = fc
  .string({ unit: "binary", minLength: 1, maxLength: 1 })
  .filter((character) => character !== "\0");
const anyKey = fc.string({ unit: character, maxLength: 20 }).filter((key) => key !== "__proto__");

/** Lengths are of characters, as JSON Schema has them: one beyond the Basic Multilingual Plane is one. */
function allowedText({ minLength = 0, maxLength = 300, pattern, format }: Schema): Arbitrary<string> {
  if (format) {
    if (!formats[format]) throw new Error(`teach test/arbitraries.ts the format ${format}`);
    return formats[format];
  }
  const fits = (value: string) =>
    [...value].length >= minLength &&
    [...value].length <= maxLength &&
    !value.includes("\0") &&
    value.isWellFormed() &&
    (!pattern || new RegExp(pattern).test(value));
  // What a pattern that forbids nothing but NUL allows is made, with emoji, by `character`.
  const some =
    pattern && pattern !== "^[^\\u0000]*$"
      ? fc.stringMatching(new RegExp(pattern), { maxLength }).filter(fits)
      : fc.string({ unit: character, minLength, maxLength });
  const longest = ["a", "é", "😀"].map((letter) => letter.repeat(maxLength)).filter(fits);
  if (longest.length === 0) return some;
  return fc.oneof({ weight: 12, arbitrary: some }, { weight: 1, arbitrary: fc.constantFrom(...longest) });
}

const formats: Record<string, Arbitrary<string>> = {
  uuid: fc.uuid(),
  // Of the years that have four digits, in UTC too.
  "date-time": fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(
          fc.date({
            min: new Date("0001-01-02"),
            max: new Date("9999-12-30T23:59:59Z"),
            noInvalidDate: true,
          }),
          fc.constantFrom("Z", "z", "+14:00", "-12:00", "+05:45", "-23:59"),
        )
        .map(([date, offset]) => date.toISOString().replace("Z", offset)),
    },
    { weight: 1, arbitrary: fc.constantFrom("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z") },
  ),
  uri: fc.webUrl({ size: "small" }),
  cursor: fc.uuid().map((id) => Buffer.from(id).toString("base64url")),
  binary: fc.string({ unit: "binary" }),
};

/** A value that is broken in one place, and how. */
export interface Broken {
  how: string;
  value: unknown;
}

/** What JavaScript can't say, as it stands in JSON. */
const raw = (json: string) => (JSON as unknown as { rawJSON: (text: string) => unknown }).rawJSON(json);
const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
const someOf: Record<string, unknown> = {
  null: null,
  boolean: true,
  number: 1.5,
  string: "text",
  array: [],
  object: {},
};

/** Every way, of those that are known here, to break an allowed value in one place. */
export function forbidden(given: Schema, value: unknown, source: Source, path = ""): Broken[] {
  const schema = understood(source.resolve(given));
  const broken: Broken[] = [];
  const breaks = (how: string, value: unknown) => broken.push({ how: `${path || "the body"} ${how}`, value });

  const types = typesOf(schema);
  if (types.length > 0)
    for (const [type, other] of Object.entries(someOf))
      if (!types.includes(type)) breaks(`is of type ${type}`, other);
  if (types.includes("integer") || types.includes("number")) breaks("is a number in quotes", "1");
  if (types.includes("boolean")) breaks("is 1", 1);

  if (types.includes("string")) for (const { how, value } of forbiddenTexts(schema)) breaks(how, value);
  if (types.length === 0) {
    breaks("has NUL", "a\0b");
    breaks("has half a character", "a\ud83d");
    breaks("is nested too deep", nested(40));
  }
  if (schema.minimum !== undefined) breaks("is too small", schema.minimum - 1);
  if (schema.maximum !== undefined) breaks("is too large", schema.maximum + 1);
  if (types.includes("integer") || types.includes("number")) breaks("is beyond all numbers", raw("-1e999"));

  if (Array.isArray(value)) {
    const { items = {}, minItems = 0, maxItems } = schema;
    if (minItems > 0) breaks("has too few", value.slice(0, minItems - 1));
    if (maxItems !== undefined && value.length > 0)
      breaks(
        "has too many",
        Array.from({ length: maxItems + 1 }, (_, index) => value[index % value.length]),
      );
    value.forEach((item, index) => {
      for (const { how, value: other } of forbidden(items, item, source, `${path}/${index}`))
        broken.push({ how, value: value.with(index, other) });
    });
  } else if (typeof value === "object" && value !== null) {
    const { properties = {}, required = [], additionalProperties = {}, minProperties = 0 } = schema;
    if (additionalProperties === false) {
      breaks("has an unknown key", { ...value, unknown: 1 });
      breaks("has an empty key", { ...value, "": 1 });
      breaks("has the key constructor", { ...value, constructor: 1 });
    }
    breaks(
      "has the key __proto__",
      Object.fromEntries([...Object.entries(value), ["__proto__", { admin: true }]]),
    );
    breaks("has a key with NUL", { ...value, "a\0": 1 });
    if (minProperties > 0) breaks("is empty", {});
    for (const key of required) breaks(`lacks ${key}`, omit(value, key));
    for (const [key, child] of Object.entries(value)) {
      const inner = Object.hasOwn(properties, key) ? properties[key]! : additionalProperties;
      if (typeof inner === "boolean") continue;
      for (const { how, value: other } of forbidden(inner, child, source, `${path}/${key}`))
        broken.push({ how, value: { ...value, [key]: other } });
    }
  }
  return broken;
}

const omit = (value: object, key: string) =>
  Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));

const notOfFormat: Record<string, string[]> = {
  uuid: ["", "1", "01920000-0000-7000-8000-00000000020", "01920000000070008000000000000201", "g".repeat(36)],
  "date-time": [
    "",
    "2026-01-01",
    "2026-01-01T00:00:00",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:00:00+24:00",
    "+012026-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "infinity",
    "now",
  ],
  uri: ["", "http://", "javascript:alert(1)"],
  cursor: ["", "x", "01920000-0000-7000-8000-000000000201"],
  binary: [],
};

/** Text that the schema of a text forbids. */
function forbiddenTexts({ enum: words, minLength = 0, maxLength, pattern, format }: Schema): Broken[] {
  const texts: Broken[] = [
    { how: "has NUL", value: "a\0b" },
    { how: "has half a character", value: "a\ud83d" },
  ];
  if (words)
    for (const value of ["", "other", `${words[0]} `]) texts.push({ how: "is no known word", value });
  if (format) for (const value of notOfFormat[format]!) texts.push({ how: `is no ${format}`, value });
  if (minLength > 0) texts.push({ how: "is too short", value: "x".repeat(minLength - 1) });
  if (maxLength !== undefined) texts.push({ how: "is too long", value: "x".repeat(maxLength + 1) });
  if (pattern)
    for (const value of ["", " ", "\n", "x\ny", "javascript:alert(1)"])
      if (!new RegExp(pattern).test(value)) texts.push({ how: "is not of its pattern", value });
  return texts;
}

/** What can't stand in a query or a path for such a value, where everything is text. */
export function forbiddenAsText(given: Schema, source: Source): Broken[] {
  const schema = understood(source.resolve(given));
  const { minimum, maximum } = schema;
  const types = typesOf(schema);
  const unlike = (...texts: string[]) =>
    texts.map((value) => ({ how: `is ${JSON.stringify(value)}`, value }));
  if (types.includes("boolean")) return unlike("", "yes", "1", "True", " true");
  if (types.includes("integer"))
    return [
      ...unlike("", "x", "1.5", "1e1", "0x1", " 1", "9".repeat(40), "null"),
      ...(minimum === undefined ? [] : unlike(`${minimum - 1}`)),
      ...(maximum === undefined ? [] : unlike(`${maximum + 1}`)),
    ];
  // Half a character can't be written in a URL.
  return forbiddenTexts(schema).filter(({ value }) => (value as string).isWellFormed());
}
