import { describe, expect, test } from "vitest";
import { breakingChanges } from "./breaking.ts";

interface Parts {
  operation?: object;
  sent?: object;
  answered?: object;
}

const order = {
  type: "object",
  required: ["id", "status"],
  properties: {
    id: { type: "string", format: "uuid" },
    status: { type: "string", enum: ["waiting", "ready"] },
    notes: { type: ["string", "null"] },
  },
};
const input = {
  type: "object",
  additionalProperties: false,
  required: ["quantity"],
  properties: {
    quantity: { type: "integer", minimum: 1, maximum: 100 },
    size: { type: "string", enum: ["small", "large"] },
    notes: { type: "string", maxLength: 500 },
  },
};
const limit = { name: "limit", in: "query", schema: { type: "integer" } };

const json = (schema: object) => ({ content: { "application/json": { schema } } });

/** A document of one operation, whose body and answer are components. */
const documentOf = ({ operation, sent, answered }: Parts = {}) => ({
  paths: {
    "/orders": {
      post: {
        operationId: "placeOrder",
        security: [],
        parameters: [limit],
        requestBody: { required: true, ...json({ $ref: "#/components/schemas/OrderInput" }) },
        responses: {
          201: {
            description: "",
            headers: { Location: {} },
            ...json({ $ref: "#/components/schemas/Order" }),
          },
          409: { description: "", ...json({ type: "object" }) },
        },
        ...operation,
      },
    },
  },
  components: { schemas: { OrderInput: { ...input, ...sent }, Order: { ...order, ...answered } } },
});

const answer = documentOf().paths["/orders"].post.responses[201];
const sentWith = (properties: object) => ({ sent: { properties: { ...input.properties, ...properties } } });
const answeredWith = (properties: object) => ({
  answered: { properties: { ...order.properties, ...properties } },
});

describe("breaks clients:", () => {
  test.each<[change: string, after: Parts, said: string | RegExp]>([
    ["another operation id", { operation: { operationId: "order" } }, /its operation was placeOrder/],
    [
      "a token that is needed",
      { operation: { security: [{ bearer: [] }] } },
      "POST /orders: needs a token now",
    ],
    [
      "a parameter that is needed",
      { operation: { parameters: [limit, { name: "q", in: "query", required: true, schema: {} }] } },
      "POST /orders: the parameter q is required now",
    ],
    [
      "a parameter that is gone",
      { operation: { parameters: [] } },
      "POST /orders: the parameter limit is gone",
    ],
    [
      "a parameter of another type",
      { operation: { parameters: [{ ...limit, schema: { type: "boolean" } }] } },
      "POST /orders: the parameter limit was integer, and is boolean",
    ],
    [
      "another media type",
      { operation: { requestBody: { content: { "text/csv": {} } } } },
      "POST /orders: the body: application/json is gone",
    ],
    [
      "a success that is gone",
      { operation: { responses: {} } },
      "POST /orders: does not answer 201 any more",
    ],
    [
      "another success",
      { operation: { responses: { 200: answer, 201: answer } } },
      "POST /orders: answers 200 now, too",
    ],
    [
      "a header that is gone",
      { operation: { responses: { 201: { ...answer, headers: {} } } } },
      "POST /orders 201: the header Location is gone",
    ],
    [
      "another name of a component",
      {
        operation: {
          responses: { 201: { ...answer, ...json({ $ref: "#/components/schemas/OrderInput" }) } },
        },
      },
      "POST /orders 201 was called Order, and is OrderInput",
    ],
    [
      "a property that is gone from answers",
      { answered: { properties: { id: order.properties.id } } },
      "Order, answered/notes is gone",
    ],
    [
      "a property that may be missing",
      { answered: { required: ["id"] } },
      "Order, answered/status may be missing now",
    ],
    [
      "a property that may be null",
      answeredWith({ id: { type: ["string", "null"], format: "uuid" } }),
      "Order, answered/id was string, and is string or null",
    ],
    [
      "another format",
      answeredWith({ id: { type: "string" } }),
      "Order, answered/id had the format uuid, and has none",
    ],
    [
      "a value that answers lose",
      answeredWith({ status: { type: "string", enum: ["waiting"] } }),
      "Order, answered/status is never ready any more",
    ],
    [
      "a value that nobody expects",
      answeredWith({ status: { type: "string", enum: ["waiting", "ready", "lost"] } }),
      "Order, answered/status may be lost now",
    ],
    [
      "an enum that is none any more",
      answeredWith({ status: { type: "string" } }),
      "Order, answered/status may be any value now",
    ],
    [
      "a property that must be sent",
      { sent: { required: ["quantity", "size"] } },
      "OrderInput, sent/size is required now",
    ],
    [
      "a property that can't be sent",
      { sent: { properties: { quantity: input.properties.quantity } } },
      "OrderInput, sent/size is gone",
    ],
    [
      "a value that can't be sent",
      sentWith({ size: { type: "string", enum: ["small"] } }),
      "OrderInput, sent/size is never large any more",
    ],
    [
      "text that must be one of some",
      sentWith({ notes: { type: "string", enum: ["none"] } }),
      "OrderInput, sent/notes is one of none now",
    ],
    [
      "a lower maximum",
      sentWith({ quantity: { type: "integer", minimum: 1, maximum: 50 } }),
      "OrderInput, sent/quantity: maximum was 100, and is 50",
    ],
    [
      "a higher minimum",
      sentWith({ quantity: { type: "integer", minimum: 2, maximum: 100 } }),
      "OrderInput, sent/quantity: minimum was 1, and is 2",
    ],
    [
      "a pattern",
      sentWith({ notes: { type: "string", pattern: "^x" } }),
      "OrderInput, sent/notes: its pattern is ^x now",
    ],
    [
      "a narrower type",
      sentWith({ quantity: { type: "string" } }),
      "OrderInput, sent/quantity was integer, and is string",
    ],
    ["alternatives", { sent: { anyOf: [{}] } }, "OrderInput, sent: its anyOf has changed"],
  ])("%s", (_change, after, said) => {
    const found = breakingChanges(documentOf(), documentOf(after));
    expect(found).toContainEqual(typeof said === "string" ? said : expect.stringMatching(said));
  });

  test("a path or an operation that is gone", () => {
    expect(breakingChanges(documentOf(), { paths: {} })).toEqual(["POST /orders is gone"]);
    expect(breakingChanges(documentOf(), { paths: { "/orders": { get: {} } } })).toEqual([
      "POST /orders is gone",
    ]);
  });

  test("a body that is needed, and keys that are no longer taken", () => {
    const open = {
      sent: { additionalProperties: true },
      operation: { requestBody: json({ $ref: "#/components/schemas/OrderInput" }) },
    };
    expect(breakingChanges(documentOf(open), documentOf())).toEqual([
      "POST /orders: the body is required now",
      "OrderInput, sent takes no other keys any more",
    ]);
  });
});

describe("breaks nobody:", () => {
  test.each<[change: string, after: Parts]>([
    ["nothing", {}],
    ["a property more in answers", answeredWith({ number: { type: "integer" } })],
    ["a property that is always there now", { answered: { required: ["id", "status", "notes"] } }],
    ["a property that is never null now", answeredWith({ notes: { type: "string" } })],
    ["a property more that may be sent", sentWith({ tip_cents: { type: "integer" } })],
    ["a property that need not be sent", { sent: { required: [] } }],
    ["null that may be sent", sentWith({ notes: { type: ["string", "null"], maxLength: 500 } })],
    [
      "a value more that may be sent",
      sentWith({ size: { type: "string", enum: ["small", "large", "huge"] } }),
    ],
    [
      "a number where a whole one was sent",
      sentWith({ quantity: { type: "number", minimum: 0, maximum: 200 } }),
    ],
    ["a parameter more", { operation: { parameters: [limit, { name: "q", in: "query", schema: {} }] } }],
    ["a refusal more or less", { operation: { responses: { 201: answer, 403: answer } } }],
    ["words", { operation: { summary: "Order" }, answered: { description: "An order" } }],
  ])("%s", (_change, after) => {
    expect(breakingChanges(documentOf(), documentOf(after))).toEqual([]);
  });
});
