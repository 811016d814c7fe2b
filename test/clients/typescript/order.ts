// What an author of a storefront writes: sign in, read the menu, order. `schema.d.ts` is generated; `tsc` compiles this
// strictly. Run with the service's URL; prints what came of it.
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

type Order = components["schemas"]["Order"];
type Problem = components["schemas"]["Problem"];

const baseUrl = process.argv[2];
if (!baseUrl) throw new Error("usage: order.ts <url>");
const client = createClient<paths>({ baseUrl });

const { data: tokens } = await client.POST("/api/v1/auth/token", {
  body: { username: "customer@example.com", password: "customer123" },
});
if (!tokens) throw new Error("nobody signed in");
const headers = { Authorization: `Bearer ${tokens.access_token}` };

const { data: menu } = await client.GET("/api/v1/menu");
const latte = menu?.products.find(({ name }) => name === "Latte");
const variation = latte?.variations[0];
if (!latte || !variation) throw new Error("there is no latte");

const place = (key: string, total_cents: number) =>
  client.POST("/api/v1/orders", {
    params: { header: { "Idempotency-Key": key } },
    headers,
    body: {
      items: [{ product_id: latte.id, variation_id: variation.id, quantity: 2 }],
      total_cents,
      fulfillment: { type: "dine_in", table: "4" },
    },
  });

const key = randomUUID();
const placed = await place(key, 2 * variation.price_cents);
const replayed = await place(key, 2 * variation.price_cents);
const refused = await place(randomUUID(), 1);

/** A program goes by the code, and the compiler knows them all. */
function toldByCode(problem: Problem | undefined): string {
  switch (problem?.code) {
    case "total_mismatch":
      return `it costs ${problem.expected_total_cents} now`;
    case "sold_out":
      return "sold out";
    // @ts-expect-error no such code
    case "out_of_stock":
      return "never";
    default:
      return "something else";
  }
}

/** An enum is one: this is no function if a status is missing, or one too many. */
const shown: Record<Order["status"], string> = {
  waiting: "We have your order",
  preparation: "It is being made",
  ready: "Come and get it",
  delivered: "Enjoy",
  canceled: "Canceled",
};

// @ts-expect-error a number is no status
const wrong: Order["status"] = 1;
void wrong;

console.log(
  JSON.stringify({
    status: [placed.response.status, replayed.response.status, refused.response.status],
    order: placed.data?.id,
    again: replayed.data?.id,
    replayed: replayed.response.headers.get("Idempotent-Replayed"),
    total_cents: placed.data?.total_cents,
    shown: placed.data && shown[placed.data.status],
    told: toldByCode(refused.error),
  }),
);
