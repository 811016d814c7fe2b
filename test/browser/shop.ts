// A shop in the morning: the seeds' catalog, staff, and customers who order by the API of a really running service.
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll } from "vitest";
import { openPool, type Pool } from "../../src/db/pool.ts";
import type { Order } from "../../src/orders/schemas.ts";
import { makeUser, type TestUser } from "../factories.ts";
import { cloneDatabase } from "../harness.ts";
import { type Instance, productionSecret, startInstance } from "../instance.ts";
import { type ProviderStub, startProviderStub } from "../provider-stub.ts";
import { signTestToken } from "../tokens.ts";

export const catalog = {
  latte: {
    product_id: "01920000-0000-7000-8000-000000000200",
    variation_id: "01920000-0000-7000-8000-000000000301",
  },
  espresso: {
    product_id: "01920000-0000-7000-8000-000000000201",
    variation_id: "01920000-0000-7000-8000-000000000304",
  },
  donut: {
    product_id: "01920000-0000-7000-8000-000000000204",
    variation_id: "01920000-0000-7000-8000-000000000311",
  },
  flatWhite: {
    product_id: "01920000-0000-7000-8000-000000000205",
    variation_id: "01920000-0000-7000-8000-000000000314",
    option_ids: ["01920000-0000-7000-8000-000000000501", "01920000-0000-7000-8000-000000000503"],
  },
};

export interface Morning {
  url: string;
  sql: Pool;
  instance: Instance;
  provider: ProviderStub;
  customer: TestUser;
  barista: TestUser;
  manager: TestUser;
  /** Calls the API as this user; gives the answer's body. Throws unless it is a 2xx. */
  call: <T>(user: TestUser, method: string, path: string, body?: unknown) => Promise<T>;
  place: (order?: object) => Promise<Order>;
  /** Starts the service again where it was, after its instance has ended. */
  restart: () => Promise<void>;
}

/** For a test file: opened before its tests, closed after them. */
export function testMorning(env: Record<string, string> = {}): Morning {
  const morning = {} as Morning;
  let databaseUrl: string;
  const start = (more: Record<string, string> = {}) =>
    startInstance({
      DATABASE_URL: databaseUrl,
      PAYMENT_SERVICE_URL: `${morning.provider.url}/payments`,
      PAYMENT_REFUND_URL: `${morning.provider.url}/refunds`,
      NOTIFICATION_SERVICE_URL: `${morning.provider.url}/notifications`,
      LOG_LEVEL: "info",
      ...env,
      ...more,
    });

  beforeAll(async () => {
    databaseUrl = await cloneDatabase();
    morning.sql = openPool(databaseUrl, { name: "test", max: 2 });
    await morning.sql.unsafe(await readFile("seeds/catalog.sql", "utf8"));
    morning.provider = await startProviderStub();
    morning.customer = await makeUser(morning.sql, "customer");
    morning.barista = await makeUser(morning.sql, "barista");
    morning.manager = await makeUser(morning.sql, "manager");
    morning.instance = await start();
    morning.url = morning.instance.url;
  });
  afterAll(async () => {
    await morning.instance?.end("SIGTERM");
    await morning.sql?.end();
    await morning.provider?.close();
  });

  morning.restart = async () => {
    morning.instance = await start({ PORT: new URL(morning.url).port });
  };
  morning.call = async (user, method, path, body) => {
    const exp = Math.floor(Date.now() / 1_000) + 600;
    const token = signTestToken({ sub: user.id, role: user.role, exp }, productionSecret);
    const response = await fetch(`${morning.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const answer = response.status === 204 ? undefined : await response.json();
    if (!response.ok) throw new Error(`${method} ${path} answered ${JSON.stringify(answer)}`);
    return answer as never;
  };
  morning.place = (order = {}) =>
    morning.call(morning.customer, "POST", "/orders", {
      items: [{ ...catalog.espresso, quantity: 1 }],
      ...order,
    });
  return morning;
}
