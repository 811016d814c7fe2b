// Moves repeated parts of the OpenAPI document to `components` and refers to them.
import { STATUS_CODES } from "node:http";
import { isDeepStrictEqual } from "node:util";
import { type Code, codes } from "../http/errors.ts";
import { errorDescriptions, headers, type ResponseHeader } from "./text.ts";

interface Reference {
  $ref: string;
}

type Content = Record<string, { schema?: object; example?: unknown; examples?: unknown }>;

interface Response {
  description: string;
  headers?: Record<string, Reference>;
  content?: Content;
}

interface Operation {
  operationId: string;
  parameters?: ({ name: string; in: string } | Reference)[];
  requestBody?: { required: boolean; description?: string; content: Content };
  responses: Record<string, Response | Reference>;
}

export interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: Record<string, Record<string, unknown>>;
}

export const operationsOf = ({ paths }: Document) =>
  Object.values(paths).flatMap((path) => Object.values(path));

type Section = "parameters" | "headers" | "responses" | "examples";

/** Throws if the name has another component. */
function addComponent(document: Document, section: Section, name: string, component: unknown): Reference {
  const known = document.components[section] ?? {};
  if (name in known && !isDeepStrictEqual(known[name], component))
    throw new Error(`two different ${section} are called ${name}`);
  document.components[section] = { ...known, [name]: component };
  return { $ref: `#/components/${section}/${name}` };
}

/** Examples are not schemas, even if they have a title. */
const isExample = (key: string) => key === "example" || key === "examples";

const titleOf = (node: object) =>
  "title" in node && typeof node.title === "string" ? node.title : undefined;

export function nameSchemas() {
  const named = new Map<string, object>();

  /** Throws if two different schemas have one title. */
  function collect(node: unknown) {
    if (typeof node !== "object" || node === null) return;
    const title = titleOf(node);
    if (title) {
      const schema = JSON.parse(JSON.stringify(node));
      if (named.has(title) && !isDeepStrictEqual(named.get(title), schema))
        throw new Error(`two different schemas are called ${title}`);
      named.set(title, schema);
    }
    for (const [key, value] of Object.entries(node)) if (!isExample(key)) collect(value);
  }

  function refer<T>(node: T): T {
    if (typeof node !== "object" || node === null) return node;
    const title = titleOf(node);
    return title ? ({ $ref: `#/components/schemas/${title}` } as T) : referWithin(node);
  }

  function referWithin<T extends object>(node: T): T {
    if (Array.isArray(node)) return node.map(refer) as T;
    const entries = Object.entries(node).map(([key, value]) => [key, isExample(key) ? value : refer(value)]);
    return Object.fromEntries(entries);
  }

  const components = () =>
    Object.fromEntries(
      [...named.entries()]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, { title: _, ...schema }]: [string, { title?: string }]) => [name, referWithin(schema)]),
    );

  return { collect, refer, components };
}

/** The plugin copied these from the components. */
export function removeCopies({ requestBody, responses }: Operation) {
  delete requestBody?.description;
  for (const media of Object.values(requestBody?.content ?? {})) delete media.example;
  for (const [status, response] of Object.entries(responses) as [string, Response][])
    for (const media of Object.values(response.content ?? {})) {
      delete media.example;
      if (media.schema && "$ref" in media.schema) response.description = STATUS_CODES[status]!;
    }
}

export function declareSuccessHeaders(
  document: Document,
  { responses }: Operation,
  responseHeaders: readonly ResponseHeader[],
) {
  for (const [status, response] of Object.entries(responses) as [string, Response][]) {
    if (response.description === "Default Response") response.description = STATUS_CODES[status]!;
    const carried = responseHeaders.filter((name) =>
      (headers[name].on as readonly string[]).includes(status),
    );
    if (carried.length > 0) response.headers = referToHeaders(document, carried);
  }
}

export function declareErrors(document: Document, { responses }: Operation, errorCodes: Set<Code>) {
  for (const [status, list] of Map.groupBy(errorCodes, (code) => codes[code])) {
    // A route's own response has priority: the 503 of /health is not a problem.
    if (responses[status]) continue;
    const carried: (keyof typeof headers)[] = [];
    if (status === 401) carried.push("WWW-Authenticate");
    if (status === 429 || status === 503 || list.includes("idempotency_in_progress"))
      carried.push("Retry-After");
    const response: Response = {
      description: list.map((code) => `\`${code}\`: ${errorDescriptions[code]}`).join("\n\n"),
      ...(carried.length > 0 && { headers: referToHeaders(document, carried) }),
      content: {
        "application/problem+json": {
          schema: { $ref: "#/components/schemas/Problem" },
          examples: Object.fromEntries(list.map((code) => [code, exampleOf(document, code)])),
        },
      },
    };
    responses[status] =
      list.length === 1 ? addComponent(document, "responses", pascalCase(list[0]!), response) : response;
  }
}

const referToHeaders = (document: Document, names: (keyof typeof headers)[]) =>
  Object.fromEntries(
    names.map((name) => {
      const { schema, description } = headers[name];
      return [name, addComponent(document, "headers", name, { description, schema })];
    }),
  );

const exampleOf = (document: Document, code: Code) =>
  addComponent(document, "examples", code, {
    summary: errorDescriptions[code],
    value: {
      type: `urn:ristretto:problem:${code}`,
      title: STATUS_CODES[codes[code]],
      status: codes[code],
      code,
      detail: errorDescriptions[code],
      request_id: "9b2f6c1e4d3a-2n9c",
    },
  });

/** Moves query and header parameters that several operations share to components. Capitalizes header names. */
export function shareParameters(document: Document) {
  const uses = new Map<string, number>();
  for (const parameter of operationsOf(document).flatMap(({ parameters = [] }) => parameters)) {
    if ("name" in parameter && parameter.in === "header")
      parameter.name = parameter.name.split("-").map(pascalCase).join("-");
    const written = JSON.stringify(parameter);
    uses.set(written, (uses.get(written) ?? 0) + 1);
  }
  for (const operation of operationsOf(document))
    operation.parameters = operation.parameters?.map((parameter) =>
      "name" in parameter && parameter.in !== "path" && uses.get(JSON.stringify(parameter))! > 1
        ? addComponent(document, "parameters", pascalCase(parameter.name), parameter)
        : parameter,
    );
}

const pascalCase = (name: string) =>
  name.replace(/(?:^|[_-])(\w)/g, (_, letter: string) => letter.toUpperCase());
