// Requests, made from the document's operations: what it allows, what makes sense besides, and what it forbids.
import fc, { type Arbitrary } from "fast-check";
import type { InjectOptions } from "light-my-request";
import { dereference, type OpenApi, type Operation } from "../declared-answers.ts";
import { png } from "../picture.ts";
import { telegramLogin } from "../telegram.ts";
import { allowed, forbidden, forbiddenAsText, type Schema, type Source } from "./arbitraries.ts";
import type { Furnished } from "./seed-shop.ts";

type Parameter = NonNullable<Operation["parameters"]>[number];

/** A header's name is the same in capitals. */
const withPlainName = (parameter: Parameter): Parameter =>
  parameter.in === "header" ? { ...parameter, name: parameter.name.toLowerCase() } : parameter;

/** Every operation of the document, what it refers to looked up. */
export function listOperations(document: OpenApi) {
  const resolve = dereference(document);
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: operation.operationId,
      method: method.toUpperCase() as NonNullable<InjectOptions["method"]>,
      path,
      secured: (operation.security ?? []).length > 0,
      parameters: (operation.parameters ?? []).map(resolve).map(withPlainName),
      body: operation.requestBody && resolve(operation.requestBody),
      live: Object.values(operation.responses).some(
        (answer) => resolve(answer).content?.["text/event-stream"],
      ),
      resolve,
    })),
  );
}
export type Op = ReturnType<typeof listOperations>[number];

export const callers = ["nobody", "customer", "barista", "manager"] as const;
export type Caller = (typeof callers)[number];

/** A request before it is written down as HTTP. */
export interface Draft {
  by: Caller;
  params: Record<string, string>;
  query: Record<string, unknown>;
  headers: Record<string, string>;
  type?: string | undefined;
  body?: unknown;
}

export interface Sent {
  by: Caller;
  request: InjectOptions;
}

/** What is worth asking an operation for, by the names of its parameters and of its body's properties. */
function hintsFor(
  { id, path }: Op,
  found: Furnished,
): Record<"params" | "query" | "headers" | "body", Source["hints"]> {
  const { customer, strangers, products, orders } = found;
  const one = (...values: unknown[]) => fc.constantFrom(...values);
  const { variations, option_groups } = products[2]!;
  const options = option_groups.flatMap((group) => group.options);
  const product_id = one(...products.map((product) => product.id));
  const category_id = one(found.category_id, null);
  const telegramId = fc.integer({ min: 42, max: 45 });
  const line = one(...found.lines);
  return {
    params: {
      user_id:
        id === "deleteUser"
          ? one(...strangers.map((stranger) => stranger.id))
          : one("me", "me", customer.id, customer.id.toUpperCase()),
      order_id: path.includes("refund") ? one(found.refunded) : one(...orders),
      refund_id: one(found.refund),
      session_id: one(...found.sessions),
      identity_id: one(...found.identities),
      item_id: one(...found.cartItems),
      category_id: id === "archiveCategory" ? one(...found.emptyCategories) : one(found.category_id),
      product_id: path.startsWith("/api/v1/categories")
        ? one(products[0]!.id, products[2]!.id)
        : id === "changeAvailability"
          ? one(products[2]!.id)
          : product_id,
      promotion_id: one(...found.promotions),
      id: one(...found.notifications),
      name: one(found.image),
    },
    query: {
      cursor: one(...orders, ...found.promotions).map((row) =>
        Buffer.from(String(row)).toString("base64url"),
      ),
      customer_id: one(customer.id),
      category_id: one(found.category_id),
      email: one(customer.email),
      provider_id: one("42"),
      q: one("product", "%", "_"),
    },
    headers: {
      "idempotency-key": fc.oneof(one("a", "b"), fc.stringMatching(/^[\x21-\x7e]{1,255}$/)),
      "if-match": one("*", '"1"', '"2", "3"', 'W/"1"', "nonsense"),
      "last-event-id": one("0", "1", "nonsense"),
    },
    body: {
      items: fc.array(line, { minLength: 1, maxLength: 4 }),
      product_id,
      variation_id: one(...variations.map((variation) => variation.id)),
      option_id: one(...options.map((option) => option.id)),
      category_id,
      username: one(customer.email, ` ${customer.email.toUpperCase()}`),
      password: one(customer.password),
      refresh_token: one(found.refresh_token),
      amount_cents: fc.integer({ min: 1, max: 100 }),
      status: one("preparation", "ready", "delivered"),
      "": (
        {
          addCartItem: line,
          createTokenByTelegram: telegramId.map((id) => telegramLogin({ id })),
          linkIdentity: telegramId.map((id) => telegramLogin({ id })),
        } as Source["hints"]
      )[id]!,
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: made by a schema that is read at run time
type Body = any;

/** What a schema can't say: makes an allowed request one that makes sense. */
const sense: Record<string, (draft: Omit<Draft, "body"> & { body?: Body }) => void> = {
  placeOrder: ({ body }) => sensePlacement(body),
  checkOut: ({ body }) => body && sensePlacement(body),
  cancelOrder: (draft) => {
    draft.type = "application/json";
    draft.body = { reason: "sold out", ...draft.body };
  },
  createProduct: ({ body }) => senseProduct(body),
  replaceProduct: ({ body }) => senseProduct(body),
  changeProduct: ({ body }) => senseProduct(body),
  changeAvailability: ({ body }) => {
    if (body.variation_id) delete body.option_id;
    if (body.until) body.until = body.available ? undefined : "2999-01-01T00:00:00Z";
  },
  createPromotion: ({ body }) => sensePromotion(body),
  changePromotion: ({ body }) => sensePromotion(body),
  readSales: ({ query }) => senseSpan(query),
  checkIdentity: ({ query }) => senseIdentity(query),
  readIdentityByProvider: ({ query }) => senseIdentity(query),
};

function sensePlacement(body: Body) {
  if (body.total_cents % 2) delete body.total_cents;
  if (JSON.stringify(body.metadata ?? {}).length > 1_000) delete body.metadata;
  if (body.fulfillment?.type === "delivery") body.fulfillment.address ??= { line1: "Main street" };
  if (body.fulfillment?.scheduled_at)
    body.fulfillment.scheduled_at = new Date(Date.now() + 3_600_000).toISOString();
}

/** Names that differ, choices that are possible, no price below 0, no rows of others. */
function senseProduct(body: Body) {
  const name = (row: Body, index: number) => ({
    ...row,
    id: undefined,
    name: `${index}${[...row.name].slice(3).join("")}`,
  });
  const price = (row: Body) => ({ ...row, price_change_cents: Math.abs(row.price_change_cents) });
  body.variations = body.variations?.map(name).map(price);
  body.option_groups = body.option_groups?.map(name).map((group: Body) => ({
    ...group,
    options: group.options.map(name).map(price),
    min_select: Math.min(group.min_select, group.max_select, group.options.length),
  }));
}

function senseSpan(query: Draft["query"]) {
  if (query.from) Object.assign(query, { from: "2026-01-01T00:00:00Z", to: "2026-01-31T00:00:00+01:00" });
  else if (query.to) query.to = "2026-01-31T00:00:00Z";
}

function senseIdentity(query: Draft["query"]) {
  query.provider_id ??= "42";
}

function sensePromotion(body: Body) {
  if (body.starts_at) body.starts_at = "2026-01-01T00:00:00Z";
  if (body.ends_at) body.ends_at = "2999-01-01T00:00:00Z";
}

const importedRows = [
  { name: "Chai", category: "Tea", base_price_cents: 300 },
  { name: "Chai 2", variations: [] },
];
const importedFile =
  "name,category,description,base_price_cents,image_url,variations\nChai,Tea,,300,,Small:-50|Large:+80\n";

/** Bodies that are not made by a schema, by their Content-Type. */
const files: Record<string, Arbitrary<unknown>> = {
  "text/csv": fc.oneof(fc.constant(importedFile), fc.string({ unit: "binary" })),
  "image/png": fc.constant(png),
  "image/jpeg": fc.constant(png),
  "image/webp": fc.constant(png),
};

/** A request that the document allows. `sensible` ones also keep to what only its words say. */
export function allowedDraft(op: Op, found: Furnished, sensible: boolean): Arbitrary<Draft> {
  const { resolve } = op;
  const { headers } = hintsFor(op, found);
  const hints = sensible ? hintsFor(op, found) : { params: {}, query: {}, headers, body: {} };
  const group = (place: string, hints: Source["hints"]) => {
    const inPlace = op.parameters.filter((parameter) => parameter.in === place);
    const made = inPlace.map(({ name, schema }) => [name, allowed(schema, { resolve, hints }, name)]);
    return fc.record(Object.fromEntries(made), {
      requiredKeys: inPlace.filter(({ required }) => required).map(({ name }) => name) as never[],
      noNullPrototype: true,
    }) as Arbitrary<Record<string, unknown>>;
  };
  const bodies = Object.entries(op.body?.content ?? {}).map(([type, { schema }]) =>
    (files[type] ?? bodyOf(op, schema, hints.body)).map((body) => ({ type, body })),
  );
  const noBody = fc.constant({ type: undefined, body: undefined });
  const own = /\{(user|order)_id\}/.test(op.path) && !op.path.includes("/admin/");
  return fc
    .record({
      by: sensible
        ? fc.constantFrom<Caller>(...(own ? (["customer", "manager"] as const) : (["manager"] as const)))
        : fc.constantFrom(...callers),
      params: group("path", hints.params) as Arbitrary<Record<string, string>>,
      query: group("query", hints.query),
      headers: group("header", hints.headers) as Arbitrary<Record<string, string>>,
      sent: fc.oneof(
        ...(bodies.length > 0 ? bodies : [noBody]),
        ...(op.body?.required === false ? [noBody] : []),
      ),
    })
    .map(({ sent, ...rest }) => {
      const draft: Draft = structuredClone({ ...rest, ...sent });
      // Bytes are not mended, and come back as other ones.
      if (Buffer.isBuffer(sent.body)) draft.body = sent.body;
      // The name of a picture that would be another path.
      if (/^\.{0,2}$/.test(draft.params.name ?? "x")) draft.params.name = "none";
      if (sensible) sense[op.id]?.(draft);
      return draft;
    });
}

const bodyOf = (op: Op, schema: Schema, hints: Source["hints"]): Arbitrary<unknown> =>
  op.id === "importProducts"
    ? fc.oneof(fc.constant(importedRows), allowed(schema, { resolve: op.resolve, hints }))
    : allowed(schema, { resolve: op.resolve, hints });

/** The request as it goes over the wire. */
export function write({ path, method }: Op, { by, params, query, headers, type, body }: Draft): Sent {
  const url = path.replace(/\{(\w+)\}/g, (_whole, name) => encodeURIComponent(params[name]!));
  const search = toForm(query);
  const payload =
    type === undefined || Buffer.isBuffer(body) || (typeof body === "string" && type !== "application/json")
      ? (body as string | undefined)
      : type === "application/x-www-form-urlencoded"
        ? toForm(body as object)
        : JSON.stringify(body);
  return {
    by,
    request: {
      method,
      url: search ? `${url}?${search}` : url,
      headers: { ...headers, ...(type && { "content-type": type }) },
      ...(payload !== undefined && { payload }),
    },
  };
}

/** As a form or a query has it. */
const toForm = (fields: object) =>
  new URLSearchParams(
    Object.entries(fields).map(([name, value]): [string, string] => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  ).toString();

/** A request that is broken in one place, and the codes that refuse it. */
interface BrokenSent extends Sent {
  how: string;
  codes: string[];
}

/** One that is yet to be written. */
type WayToBreak = () => BrokenSent;

const invalid = ["validation_failed"];
// A cursor and a key have codes of their own.
const codesOf: Record<string, string[]> = {
  cursor: ["validation_failed", "invalid_cursor"],
  "idempotency-key": ["validation_failed", "invalid_idempotency_key"],
};

/** Every way to break a request in one place. */
export function waysToBreak(op: Op, draft: Draft): WayToBreak[] {
  const { resolve } = op;
  const ways: WayToBreak[] = [];
  const add = (how: string, change: Partial<Draft>, codes = invalid) =>
    ways.push(() => ({ how, codes, ...write(op, { ...draft, ...change }) }));
  const addRaw = (how: string, request: InjectOptions, codes = invalid) =>
    ways.push(() => ({ how, codes, by: draft.by, request: { ...write(op, draft).request, ...request } }));

  for (const { in: place, name, schema } of op.parameters) {
    if (place === "header") {
      if (name === "idempotency-key")
        for (const value of ["", "a b", "é", "k".repeat(256)])
          add(`${name} is ${value}`, { headers: { ...draft.headers, [name]: value } }, codesOf[name]);
      continue;
    }
    for (const { how, value } of forbiddenAsText(schema, { resolve, hints: {} }))
      if (place === "query")
        add(`?${name} ${how}`, { query: { ...draft.query, [name]: value } }, codesOf[name]);
      // An empty part of a path makes it another one.
      else if (value !== "") add(`{${name}} ${how}`, { params: { ...draft.params, [name]: String(value) } });
    const { url } = write(op, draft).request as { url: string };
    const more = `${url}${url.includes("?") ? "&" : "?"}`;
    if (place === "query")
      addRaw(`?${name} comes twice`, { url: `${more}${name}=1&${name}=1` }, codesOf[name]);
  }

  if (!op.body) return ways;
  const ofRows = op.id === "importProducts" ? ["validation_failed", "import_failed"] : invalid;
  const json = op.body.content["application/json"];
  const headers = (type: string) => ({ ...draft.headers, "content-type": type });
  addRaw("the body is of an unknown type", { headers: headers("text/x-unknown"), payload: "x" }, [
    "unsupported_media_type",
  ]);
  if (op.body.content["image/png"])
    addRaw("the body is no picture", { headers: headers("image/png"), payload: "GIF89a" }, [
      "unsupported_media_type",
    ]);
  if (!json) return ways;
  for (const payload of ["{", "nul", '{"a":1}}', '{"a":01}', "[1,]", "\0", '{"a":"\n"}'])
    addRaw(`the body is ${payload}`, { headers: headers("application/json"), payload });
  addRaw(
    "the body is too large",
    { headers: headers("application/json"), payload: JSON.stringify({ a: "x".repeat(3 * 1024 * 1024) }) },
    ["body_too_large"],
  );
  if (op.body.required)
    for (const payload of ["", "null"])
      addRaw(`the body is ${payload || "missing"}`, { headers: headers("application/json"), payload });
  if (draft.type === "application/json")
    for (const { how, value } of forbidden(json.schema, draft.body, { resolve, hints: {} }))
      if (op.body.required || value !== null) add(how, { body: value }, ofRows);
  return ways;
}
