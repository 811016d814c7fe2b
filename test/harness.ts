// The service as a test meets it: real PostgreSQL, real HTTP to the providers, requests injected.
import type { Redis } from "ioredis";
import type { InjectOptions, Response } from "light-my-request";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, inject } from "vitest";
import { buildApp } from "../src/app.ts";
import { signAccessToken } from "../src/auth/tokens.ts";
import { type MenuCache, openMenuCache } from "../src/catalog/menu-cache.ts";
import { type CheckoutContext, createCheckout } from "../src/checkout/context.ts";
import { readSettings } from "../src/config.ts";
import { type Db, openPool, type Pool } from "../src/db/pool.ts";
import { startWorker } from "../src/jobs.ts";
import { openRedis } from "../src/redis.ts";
import type { Role } from "../src/users/schemas.ts";
import { declaredAnswers } from "./declared-answers.ts";
import { makeUser, type TestUser } from "./factories.ts";
import { type ProviderStub, startProviderStub } from "./provider-stub.ts";

export interface TestShop {
  app: Awaited<ReturnType<typeof buildApp>>;
  sql: Pool;
  checkout: CheckoutContext;
  menu: MenuCache;
  redis: Redis | undefined;
  provider: ProviderStub;
  databaseUrl: string;
  /** A user of this role and a way to call the API as he. */
  as: (role: Role) => Promise<TestUser & { call: Call; token: string }>;
  /** Calls the API without a token. */
  call: Call;
}

export type Call = (
  method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE",
  path: string,
  options?: { body?: unknown; headers?: Record<string, string>; payload?: string | Buffer },
) => Promise<Response>;

export interface ShopOptions {
  /** Environment variables on top of what a test shop has. */
  env?: Record<string, string>;
  /** A migrated database to use instead of a clone. */
  databaseUrl?: string;
  /** Where the menu listens, if not there. */
  listenUrl?: string;
  /** Takes the lines of the log, whose level is LOG_LEVEL. */
  write?: (line: string) => void;
}

/** Opens a shop on a database of its own, at the schema's latest and empty. */
export async function openShop({
  env = {},
  ...options
}: ShopOptions = {}): Promise<TestShop & { close: () => Promise<void> }> {
  const databaseUrl = options.databaseUrl ?? (await cloneDatabase());
  const provider = await startProviderStub();
  const settings = readSettings({
    DATABASE_URL: databaseUrl,
    PAYMENT_SERVICE_URL: `${provider.url}/payments`,
    NOTIFICATION_SERVICE_URL: `${provider.url}/notifications`,
    PAYMENT_TIMEOUT_MS: "1000",
    RATE_LIMIT_MAX: "0",
    LOG_LEVEL: "silent",
    ...env,
  }) as Parameters<typeof createCheckout>[0];
  const sql = openPool(databaseUrl, { name: "api", max: settings.databasePoolMax });
  const level = settings.logLevel;
  const log = options.write ? pino({ level }, { write: options.write }) : pino({ level });
  const checkout = createCheckout(settings, sql, log);
  const redis = settings.redisUrl ? openRedis(settings.redisUrl, log) : undefined;
  const menu = openMenuCache({ ...settings, databaseUrl: options.listenUrl ?? databaseUrl }, sql, log, redis);
  const app = await buildApp({ settings, sql, checkout, menu, redis, log });
  await app.ready();
  const declared = declaredAnswers(app.swagger() as never);

  const callWith =
    (token?: string): Call =>
    async (method, path, { body, headers, payload } = {}) => {
      const request: InjectOptions = {
        method,
        url: path.startsWith("//") ? path.slice(1) : settings.apiPrefix + path,
        headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers },
      };
      if (body !== undefined) request.payload = body as object;
      if (payload !== undefined) request.payload = payload;
      const response = await app.inject(request);
      declared(method, request.url as string, response);
      return response;
    };

  return {
    app,
    sql,
    checkout,
    menu,
    redis,
    provider,
    databaseUrl,
    call: callWith(),
    as: async (role) => {
      const user = await makeUser(sql, role);
      const token = signAccessToken(app, user);
      return { ...user, token, call: callWith(token) };
    },
    close: async () => {
      await app.close();
      await menu.close();
      redis?.disconnect();
      await checkout.close();
      await sql.end();
      await provider.close();
    },
  };
}

/** A worker for a test file: started before its tests, stopped after them. */
export function testWorker(shop: TestShop) {
  let worker: Awaited<ReturnType<typeof startWorker>>;
  beforeAll(async () => {
    const settings = shop.app.settings as Parameters<typeof startWorker>[0];
    worker = await startWorker(settings, shop.sql, pino({ level: "silent" }));
  });
  afterAll(() => worker?.stop());
}

/** A shop for a test file: opened before its tests, emptied before each, closed after them. */
export function testShop(options?: ShopOptions): TestShop {
  const shop = {} as TestShop & { close: () => Promise<void> };
  beforeAll(async () => void Object.assign(shop, await openShop(options)));
  beforeEach(async () => {
    await truncate(shop.sql);
    shop.provider.reset();
  });
  afterAll(() => shop.close?.());
  return shop;
}

export async function cloneDatabase(): Promise<string> {
  const postgresUrl = inject("postgresUrl");
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  const sql = openPool(postgresUrl, { name: "test setup", max: 1 });
  await sql.unsafe(`create database ${name} template ristretto_template`);
  await sql.end();
  return postgresUrl.replace(/\/postgres$/, `/${name}`);
}

export async function truncate(sql: Pool) {
  try {
    await sql`
      truncate users, categories, products, images, promotions, events, graphile_worker._private_jobs cascade`;
  } catch (error) {
    // The worker still did something for the test before, each waited for the other, and PostgreSQL refused this one.
    if ((error as { code?: string }).code !== "40P01") throw error;
    await truncate(sql);
  }
}

/**
 * Sends requests while `lock` is held in another transaction, and lets go once all of them wait: so that they meet.
 */
export async function meetAt<T>(
  sql: Pool,
  lock: (tx: Db) => PromiseLike<unknown>,
  requests: (() => Promise<T>)[],
): Promise<T[]> {
  const { responses } = await sql.begin(async (tx) => {
    await lock(tx);
    const responses = Promise.all(requests.map((send) => send()));
    await eventually(async () => {
      const [row] = await sql<{ waiting: number }[]>`
        select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return row!.waiting === requests.length;
    });
    return { responses };
  });
  return responses;
}

/** Waits until `check` gives something truthy, and gives that; fails after `seconds`. */
export async function eventually<T>(check: () => Promise<T> | T, seconds = 5): Promise<NonNullable<T>> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await check();
    if (value) return value as NonNullable<T>;
    if (Date.now() > deadline) throw new Error(`it did not come about within ${seconds} s: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** All rows of these tables, to be compared with what they are after a refusal. */
export const rowsOf = (sql: Pool, tables: string[]) =>
  Promise.all(
    tables.map(async (table) =>
      (await sql`select to_jsonb(t) as row from ${sql(table)} t order by t::text`).map(({ row }) => row),
    ),
  );

/** Sends a request again while the service is too busy to hash its password, as a client does. */
export async function whenNotBusy(send: () => Promise<Response>): Promise<Response> {
  const response = await send();
  return response.statusCode === 503 ? whenNotBusy(send) : response;
}

/** Expects a refusal in its one shape, and gives its body. */
export function expectProblem(response: Response, status: number, code: string) {
  const body = response.json();
  expect({ status: response.statusCode, code: body.code, detail: body.detail }).toMatchObject({
    status,
    code,
  });
  expect(response.headers["content-type"]).toMatch(/^application\/problem\+json/);
  expect(body).toMatchObject({
    type: expect.stringContaining(code),
    title: expect.any(String),
    status,
    detail: expect.any(String),
    request_id: response.headers["x-request-id"],
  });
  return body;
}
