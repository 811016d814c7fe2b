import { describe, expect, test } from "vitest";
import { type Status, statuses } from "../src/orders/status.ts";
import { makeProduct } from "./factories.ts";
import { expectProblem, testShop } from "./harness.ts";

const shop = testShop();

async function orderWith(status: Status): Promise<string> {
  const customer = await shop.as("customer");
  const product = await makeProduct(shop.sql);
  const body = { items: [{ product_id: product.id, quantity: 1 }] };
  const { id } = (await customer.call("POST", "/orders", { body })).json();
  await shop.sql`update orders set status = ${status} where id = ${id}`;
  await shop.sql`truncate events`;
  return id;
}

const written = async () => {
  const [row] = await shop.sql`
    select
      (select json_agg(type) from events) as events,
      (select json_agg(order_status) from notifications) as notifications,
      (select count(*)::int from graphile_worker.jobs) as jobs`;
  return row;
};

const allowed = ["waiting preparation", "preparation ready", "ready delivered"];

describe.each(statuses)("from %s", (from) => {
  test.each(statuses)("to %s", async (to) => {
    const barista = await shop.as("barista");
    const id = await orderWith(from);
    const response = await barista.call("PATCH", `/orders/${id}/status`, { body: { status: to } });
    const [row] = await shop.sql`select status from orders where id = ${id}`;
    if (allowed.includes(`${from} ${to}`)) {
      expect(response.statusCode).toBe(200);
      expect(response.json()).toMatchObject({ id, status: to });
      expect(row).toEqual({ status: to });
      expect(await written()).toEqual({ events: ["order.status_changed"], notifications: [to], jobs: 1 });
    } else {
      const problem = expectProblem(response, 400, "invalid_transition");
      expect(problem.detail).toMatch(/^Invalid transition/);
      expect(row).toEqual({ status: from });
      expect(await written()).toEqual({ events: null, notifications: null, jobs: 0 });
    }
  });
});

test("the event holds the order with from and to", async () => {
  const barista = await shop.as("barista");
  const id = await orderWith("waiting");
  const order = (
    await barista.call("PATCH", `/orders/${id}/status`, { body: { status: "preparation" } })
  ).json();
  const [event] = await shop.sql`select subject_id, data from events`;
  expect(event).toEqual({ subject_id: id, data: { ...order, from: "waiting", to: "preparation" } });
  expect(Date.parse(order.updated_at)).toBeGreaterThan(Date.parse(order.created_at));
});

test("of ten staff at once exactly one succeeds, with one event and one notification", async () => {
  const [barista, manager] = [await shop.as("barista"), await shop.as("manager")];
  const id = await orderWith("waiting");
  const responses = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      (n % 2 ? barista : manager).call("PATCH", `/orders/${id}/status`, { body: { status: "preparation" } }),
    ),
  );
  expect(responses.filter((response) => response.statusCode === 200)).toHaveLength(1);
  for (const response of responses)
    if (response.statusCode !== 200) expectProblem(response, 400, "invalid_transition");
  expect(await written()).toEqual({
    events: ["order.status_changed"],
    notifications: ["preparation"],
    jobs: 1,
  });
});

test("who may not, what is not there and what is no status is refused, in that order", async () => {
  const [customer, barista] = [await shop.as("customer"), await shop.as("barista")];
  const id = await orderWith("waiting");
  const body = { status: "preparation" };
  expectProblem(await shop.call("PATCH", "/orders/17/status", { body: {} }), 401, "unauthorized");
  expectProblem(await customer.call("PATCH", "/orders/17/status", { body: {} }), 403, "forbidden");
  expectProblem(await barista.call("PATCH", "/orders/17/status", { body }), 400, "validation_failed");
  for (const bad of [{ status: "lost" }, { status: null }, {}, { ...body, notify: false }, [body]])
    expectProblem(
      await barista.call("PATCH", `/orders/${id}/status`, { body: bad }),
      400,
      "validation_failed",
    );
  const unknown = id.replace(/.{4}$/, "0000");
  const problem = expectProblem(
    await barista.call("PATCH", `/orders/${unknown}/status`, { body }),
    404,
    "not_found",
  );
  expect(problem.detail).toBe("Order not found");
  expect(await written()).toEqual({ events: null, notifications: null, jobs: 0 });
});
