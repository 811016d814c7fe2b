// The OpenAPI document held against what the service says: every answer in every test must be one that it declares.
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { Response } from "light-my-request";
import { expect } from "vitest";

/** As much of an OpenAPI document as is read here; anything may be a `$ref` into its components. */
export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
}

export interface Operation {
  operationId: string;
  security?: object[];
  parameters?: { in: string; name: string; required?: boolean; schema: object }[];
  requestBody?: { required?: boolean; content: Record<string, { schema: object }> };
  responses: Record<
    string,
    { description: string; headers?: object; content?: Record<string, { schema?: object }> }
  >;
}

/** Those that the document must declare wherever they are sent. */
const declaredHeaders = ["ETag", "Location", "Idempotent-Replayed", "Retry-After", "WWW-Authenticate"];

/** Gives what a `$ref` into the document stands for, and everything else as it is. */
export const dereference =
  (document: object) =>
  <T extends object>(value: T): T => {
    const { $ref } = value as { $ref?: string };
    if ($ref === undefined) return value;
    const keys = $ref.slice($ref.indexOf("#/") + 2).split("/");
    const found = keys
      .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"))
      .reduce((part: unknown, key) => (part as Record<string, unknown>)[key], document);
    return dereference(document)(found as T);
  };

/**
 * Takes the document; gives a check of one answer: its status is declared, its error code and headers too, and its body
 * is of the declared type and schema. What is asked of a path or by a method that the document doesn't have is let through.
 */
export function declaredAnswers(openapi: OpenApi) {
  // References are into the document, from wherever a schema of it is compiled.
  const document: OpenApi = JSON.parse(
    JSON.stringify(openapi).replaceAll('"$ref":"#/', '"$ref":"document#/'),
  );
  const resolve = dereference(document);
  const ajv = new Ajv2020({ strict: false, allErrors: true, schemas: { document } });
  addFormats.default(ajv);

  const templates = Object.entries(document.paths).map(([template, operations]) => ({
    operations,
    matches: new RegExp(`^${template.replace(/\{[^}]+\}/g, "[^/]+")}$`),
    template,
  }));
  return (method: string, url: string, response: Response) => {
    const path = url.split("?")[0]!;
    const found =
      templates.find(({ template }) => template === path) ??
      templates.find(({ matches }) => matches.test(path));
    const operation = found?.operations[method.toLowerCase()];
    if (!operation) return;
    const what = `${method} ${found.template}`;
    const declared = operation.responses[response.statusCode];
    expect(declared, `${what} declares ${response.statusCode}: ${response.body}`).toBeDefined();
    const answer = resolve(declared!);
    const type = response.headers["content-type"]?.toString().split(";")[0];
    if (type === "application/problem+json")
      expect(answer.description, what).toContain(`\`${response.json().code}\``);

    const sent = declaredHeaders.filter((name) => name.toLowerCase() in response.headers);
    const may = Object.keys(answer.headers ?? {});
    expect(may, `${what} ${response.statusCode}`).toEqual(expect.arrayContaining(sent));
    // Of several refusals under one status, one may have a header that the others don't.
    if (response.statusCode < 400)
      expect(sent, `${what} ${response.statusCode}`).toEqual(expect.arrayContaining(may));

    if (!answer.content) return expect(response.body, `${what} declares no body`).toBe("");
    expect(Object.keys(answer.content), `${what} declares ${type}`).toContain(type);
    // Compressed ones are the same bytes, which their own tests unpack.
    if (!type?.endsWith("json") || response.headers["content-encoding"]) return;
    const { schema } = answer.content[type]!;
    if (!schema) return;
    const validate = ajv.compile(schema);
    expect(validate(response.json()), `${what}: ${ajv.errorsText(validate.errors)}: ${response.body}`).toBe(
      true,
    );
  };
}
