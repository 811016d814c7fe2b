// What a client that was made from one OpenAPI document can no longer rely on in the next.

import { isDeepStrictEqual } from "node:util";

type Json = Record<string, unknown>;

/** Who sends may be refused what was good; who reads may meet what he doesn't know. */
type Side = "sent" | "answered";

const methods = ["get", "put", "post", "patch", "delete"];

/** Takes two documents, JSON by now; gives a sentence for each change that breaks clients of the first one. */
export function breakingChanges(before: Json, after: Json): string[] {
  const found: string[] = [];
  /** Components are compared once, however often they are referred to: also, they may hold themselves. */
  const compared = new Set<string>();
  const inBefore = resolver(before);
  const inAfter = resolver(after);

  for (const [path, item] of Object.entries(before.paths as Json)) {
    for (const method of methods) {
      const was = (item as Json)[method] as Json | undefined;
      if (!was) continue;
      const where = `${method.toUpperCase()} ${path}`;
      const is = (after.paths as Record<string, Json>)[path]?.[method] as Json | undefined;
      if (is) compareOperation(where, was, is);
      else found.push(`${where} is gone`);
    }
  }
  return found;

  function compareOperation(where: string, was: Json, is: Json) {
    if (was.operationId !== is.operationId)
      found.push(`${where}: its operation was ${was.operationId}, and is ${is.operationId}`);
    if (needsToken(is) && !needsToken(was)) found.push(`${where}: needs a token now`);

    const parametersWere = byName(list(was.parameters).map(inBefore));
    const parametersAre = byName(list(is.parameters).map(inAfter));
    for (const [name, parameter] of parametersAre) {
      const old = parametersWere.get(name);
      if (parameter.required && !old?.required) found.push(`${where}: the parameter ${name} is required now`);
      if (old) compareSchema(`${where}: the parameter ${name}`, "sent", old.schema, parameter.schema);
    }
    for (const name of parametersWere.keys())
      if (!parametersAre.has(name)) found.push(`${where}: the parameter ${name} is gone`);

    const bodyWas = was.requestBody as Json | undefined;
    const bodyIs = is.requestBody as Json | undefined;
    if (bodyIs?.required && !bodyWas?.required) found.push(`${where}: the body is required now`);
    if (bodyWas) compareContent(`${where}: the body`, "sent", bodyWas, bodyIs ?? {});

    for (const [status, response] of Object.entries(was.responses as Json)) {
      const now = (is.responses as Json)[status];
      // Fewer refusals break nobody.
      if (now) compareContent(`${where} ${status}`, "answered", inBefore(response), inAfter(now));
      else if (Number(status) < 400) found.push(`${where}: does not answer ${status} any more`);
    }
    for (const status of Object.keys(is.responses as Json))
      if (Number(status) < 300 && !(was.responses as Json)[status])
        found.push(`${where}: answers ${status} now, too`);
  }

  function compareContent(where: string, side: Side, was: Json, is: Json) {
    for (const [type, media] of Object.entries((was.content ?? {}) as Record<string, Json>)) {
      const now = ((is.content ?? {}) as Record<string, Json>)[type];
      if (!now) found.push(`${where}: ${type} is gone`);
      else compareSchema(where, side, media.schema, now.schema);
    }
    for (const name of Object.keys((was.headers ?? {}) as Json))
      if (!(name in ((is.headers ?? {}) as Json))) found.push(`${where}: the header ${name} is gone`);
  }

  function compareSchema(place: string, side: Side, wasAt: unknown, isAt: unknown) {
    if (!wasAt || !isAt) return;
    const [nameWas, nameIs] = [nameOf(wasAt), nameOf(isAt)];
    if (nameWas && nameWas !== nameIs)
      found.push(`${place} was called ${nameWas}, and is ${nameIs ?? "nothing"}`);
    const where = nameWas === undefined ? place : `${nameWas}, ${side}`;
    if (nameWas && compared.has(where)) return;
    compared.add(where);
    const was = inBefore(wasAt);
    const is = inAfter(isAt);
    const deeper = (key: string, old: unknown, now: unknown) =>
      compareSchema(`${where}${key}`, side, old, now);

    for (const key of ["anyOf", "oneOf", "allOf", "not"])
      if (!isDeepStrictEqual(was[key], is[key])) found.push(`${where}: its ${key} has changed`);
    compareTypes(where, side, was, is);
    compareValues(where, side, was, is);
    if (side === "sent") compareLimits(where, was, is);

    const propertiesWere = (was.properties ?? {}) as Json;
    const propertiesAre = (is.properties ?? {}) as Json;
    for (const [key, property] of Object.entries(propertiesWere)) {
      if (key in propertiesAre) deeper(`/${key}`, property, propertiesAre[key]);
      else if (side === "answered" || is.additionalProperties === false)
        found.push(`${where}/${key} is gone`);
    }
    const requiredWas = list(was.required) as unknown as string[];
    const requiredIs = list(is.required) as unknown as string[];
    if (side === "sent")
      for (const key of requiredIs)
        if (!requiredWas.includes(key)) found.push(`${where}/${key} is required now`);
    if (side === "answered")
      for (const key of requiredWas)
        if (key in propertiesAre && !requiredIs.includes(key))
          found.push(`${where}/${key} may be missing now`);
    if (side === "sent" && is.additionalProperties === false && was.additionalProperties !== false)
      found.push(`${where} takes no other keys any more`);

    deeper("/*", was.items, is.items);
    deeper("/*", asSchema(was.additionalProperties), asSchema(is.additionalProperties));
    deeper(" (each event)", was.contentSchema, is.contentSchema);
  }

  function compareTypes(where: string, side: Side, was: Json, is: Json) {
    const typesWere = [was.type ?? []].flat() as string[];
    const typesAre = [is.type ?? []].flat() as string[];
    const [must, may] = side === "sent" ? [typesWere, typesAre] : [typesAre, typesWere];
    // Whole numbers are numbers.
    const fits = (type: string) => may.includes(type) || (type === "integer" && may.includes("number"));
    if (may.length > 0 && (must.length === 0 || !must.every(fits)))
      found.push(
        `${where} was ${typesWere.join(" or ") || "anything"}, and is ${typesAre.join(" or ") || "anything"}`,
      );
    if (was.format !== is.format && (side === "answered" ? was.format : is.format))
      found.push(`${where} had the format ${was.format ?? "none"}, and has ${is.format ?? "none"}`);
  }

  function compareValues(where: string, side: Side, was: Json, is: Json) {
    const [valuesWere, valuesAre] = [was.enum, is.enum] as [unknown[] | undefined, unknown[] | undefined];
    const gone = (valuesWere ?? []).filter((value) => valuesAre && !valuesAre.includes(value));
    const come = (valuesAre ?? []).filter((value) => !valuesWere?.includes(value));
    if (gone.length > 0) found.push(`${where} is never ${gone.join(", ")} any more`);
    if (side === "sent" && !valuesWere && valuesAre)
      found.push(`${where} is one of ${valuesAre.join(", ")} now`);
    if (side === "answered" && valuesWere && come.length > 0)
      found.push(`${where} may be ${come.join(", ")} now`);
    if (side === "answered" && valuesWere && !valuesAre) found.push(`${where} may be any value now`);
  }

  function compareLimits(where: string, was: Json, is: Json) {
    for (const key of ["maximum", "maxLength", "maxItems", "maxProperties"])
      if (Number(is[key] ?? Infinity) < Number(was[key] ?? Infinity))
        found.push(`${where}: ${key} was ${was[key] ?? "none"}, and is ${is[key]}`);
    for (const key of ["minimum", "minLength", "minItems", "minProperties"])
      if (Number(is[key] ?? -Infinity) > Number(was[key] ?? -Infinity))
        found.push(`${where}: ${key} was ${was[key] ?? "none"}, and is ${is[key]}`);
    if (is.pattern && is.pattern !== was.pattern) found.push(`${where}: its pattern is ${is.pattern} now`);
  }
}

const list = (value: unknown) => (value ?? []) as Json[];

const nameOf = (schema: unknown) => (schema as { $ref?: string }).$ref?.split("/").at(-1);

const asSchema = (value: unknown) => (typeof value === "object" ? value : undefined);

const needsToken = ({ security }: Json) => list(security).length > 0;

const byName = (parameters: Json[]) =>
  new Map(parameters.map((parameter) => [String(parameter.name), parameter]));

/** Gives what a reference into the document stands for, and everything else as it is. */
const resolver = (document: Json) =>
  function resolve(value: unknown): Json {
    const { $ref } = value as { $ref?: string };
    if ($ref === undefined) return value as Json;
    const keys = $ref.replace("#/", "").split("/");
    return resolve(keys.reduce<unknown>((part, key) => (part as Json)[key], document));
  };
