import { expect, test } from "vitest";
import { makeProduct } from "./factories.ts";
import { testShop } from "./harness.ts";

const shop = testShop();

test("an order is placed", async () => {
  const customer = await shop.as("customer");
  const product = await makeProduct(shop.sql);
  const response = await customer.call("POST", "/orders", {
    body: { items: [{ product_id: product.id, quantity: 2 }] },
  });
  expect(response.statusCode, response.body).toBe(201);
});
