// A shop in the middle of a morning: one of everything, so that every operation has something to do.
import type { Response } from "light-my-request";
import { expect } from "vitest";
import { makeProduct, makeUser } from "../factories.ts";
import { type TestShop, truncate } from "../harness.ts";
import { png } from "../picture.ts";
import { telegramLogin } from "../telegram.ts";

/** Empties the shop and fills it with one of everything; gives what there is, and who may ask for it. */
export async function furnish(shop: TestShop) {
  const { sql } = shop;
  await truncate(sql);
  shop.provider.reset();
  shop.provider.answer = ({ body, path }) =>
    path === "/payments" && Number(body.value) % 7 === 3
      ? { status: 402, body: { success: false } }
      : { status: 200 };

  const [customer, barista, manager] = [
    await shop.as("customer"),
    await shop.as("barista"),
    await shop.as("manager"),
  ];
  const strangers = [await makeUser(sql), await makeUser(sql), await makeUser(sql, "barista")];
  const made = async <T>(answer: Promise<Response>): Promise<T> => {
    const { statusCode, body } = await answer;
    expect(statusCode, body).toBeLessThan(300);
    return (body && JSON.parse(body)) as T;
  };
  const [category, ...emptyCategories] = await Promise.all(
    ["Coffee", "Bakery", "Tea"].map((name) =>
      made<{ id: string }>(manager.call("POST", "/admin/categories", { body: { name } })),
    ),
  );
  const category_id = category!.id;
  const water = await makeProduct(sql, { base_price_cents: 0, category_id });
  const cake = await makeProduct(sql, { variations: [{ name: "Half", price_change_cents: -100 }] });
  const flatWhite = await makeProduct(sql, {
    category_id,
    variations: [
      { name: "Single", price_change_cents: 0 },
      { name: "Double", price_change_cents: 80 },
    ],
    option_groups: [
      { name: "Milk", min_select: 1, max_select: 1, options: [{ name: "Oat", price_change_cents: 60 }] },
      { name: "Extras", min_select: 0, max_select: 1, options: [{ name: "Cream", price_change_cents: 50 }] },
    ],
  });
  const products = [water, cake, flatWhite];
  const [oat, cream] = flatWhite.option_groups.flatMap(({ options }) => options.map(({ id }) => id));
  const lines = [
    { product_id: water.id, quantity: 1 },
    { product_id: cake.id, variation_id: cake.variations[0]!.id, quantity: 2 },
    {
      product_id: flatWhite.id,
      variation_id: flatWhite.variations[0]!.id,
      option_ids: [oat],
      quantity: 1,
      notes: "hot",
    },
    {
      product_id: flatWhite.id,
      variation_id: flatWhite.variations[1]!.id,
      option_ids: [oat, cream],
      quantity: 1,
    },
  ];

  const order = async (...statuses: string[]) => {
    const { id } = await made<{ id: string }>(customer.call("POST", "/orders", { body: { items: lines } }));
    for (const status of statuses)
      await made(barista.call("PATCH", `/orders/${id}/status`, { body: { status } }));
    return id;
  };
  const orders = await Promise.all([
    order(),
    order(),
    order("preparation"),
    order("preparation", "ready"),
    order("preparation", "ready", "delivered"),
  ]);
  const refunded = orders.at(-1)!;
  const refunds = `/admin/orders/${refunded}/refunds`;
  const refund = await made<{ id: string }>(
    manager.call("POST", refunds, { body: { amount_cents: 100, reason: "cold" } }),
  );
  await made(customer.call("POST", `/orders/${orders[1]}/cancel`));

  for (const body of lines) await made(customer.call("POST", "/users/me/cart/items", { body }));
  const cart = await made<{ items: { id: string }[] }>(customer.call("GET", "/users/me/cart"));
  const signIn = { username: customer.email, password: customer.password };
  const { refresh_token } = await made<{ refresh_token: string }>(
    shop.call("POST", "/auth/token", { body: signIn }),
  );
  await made(customer.call("POST", "/users/me/identities", { body: telegramLogin() }));
  const { image_url } = await made<{ image_url: string }>(
    manager.call("PUT", `/admin/products/${cake.id}/image`, {
      payload: png,
      headers: { "content-type": "image/png" },
    }),
  );
  for (const title of ["Pumpkin", "Two for one"])
    await made(manager.call("POST", "/admin/promotions", { body: { title } }));

  const ids = async (table: string) =>
    (await sql`select id from ${sql(table)} order by id`).map(({ id }) => id);
  return {
    tokens: { nobody: "", customer: customer.token, barista: barista.token, manager: manager.token },
    customer,
    strangers,
    emptyCategories: emptyCategories.map(({ id }) => id),
    category_id,
    products,
    lines,
    orders,
    refunded,
    refund: refund.id,
    cartItems: cart.items.map(({ id }) => id),
    refresh_token,
    image: image_url.slice("/images/".length),
    notifications: await ids("notifications"),
    promotions: await ids("promotions"),
    sessions: await ids("sessions"),
    identities: await ids("identities"),
  };
}

export type Furnished = Awaited<ReturnType<typeof furnish>>;
