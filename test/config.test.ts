import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readSettings, type Settings, SettingsError } from "../src/config.ts";

/** The problems that reading these settings names; none if they are right. */
function problems(...args: Parameters<typeof readSettings>): string[] {
  try {
    readSettings(...args);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
}

const secret = "s".repeat(32);

describe("without any setting", () => {
  test("development has a default for each", () => {
    expect(readSettings({})).toEqual({
      production: false,
      host: "127.0.0.1",
      port: 8000,
      apiPrefix: "/api/v1",
      logLevel: "info",
      trustProxy: 0,
      corsOrigins: [],
      databaseUrl: undefined,
      databasePoolMax: 10,
      checkoutConcurrency: 20,
      kafkaBrokers: [],
      jwtSecrets: [expect.stringMatching(/.{32}/)],
      accessTokenMinutes: 30,
      refreshTokenDays: 7,
      paymentServiceUrl: undefined,
      paymentTimeoutMs: 10_000,
      notificationServiceUrl: undefined,
      notificationTimeoutMs: 15_000,
      redisUrl: undefined,
      s3Bucket: undefined,
      s3Endpoint: undefined,
      s3Region: "us-east-1",
      mailFrom: "Ristretto <no-reply@ristretto.example>",
      rateLimitMax: 600,
      worker: "inline",
      metricsPort: 0,
      currency: "USD",
    });
  });

  test("production names all that it must be given, at once", () => {
    expect(problems({ NODE_ENV: "production" })).toEqual([
      expect.stringContaining("JWT_SECRET_KEY is missing"),
      expect.stringContaining("DATABASE_URL is missing"),
      expect.stringContaining("PAYMENT_SERVICE_URL is missing"),
      expect.stringContaining("NOTIFICATION_SERVICE_URL is missing"),
    ]);
  });

  test("production's commands on the database need the database alone", () => {
    const env = { NODE_ENV: "production" };
    expect(problems(env, ["DATABASE_URL"])).toEqual([expect.stringContaining("DATABASE_URL is missing")]);
    expect(problems({ ...env, DATABASE_URL: "postgres://db/shop" }, ["DATABASE_URL"])).toEqual([]);
  });
});

test("production with what it must be given listens to every address", () => {
  const settings = readSettings({
    NODE_ENV: "production",
    DATABASE_URL: "postgres://db/shop",
    JWT_SECRET_KEY: secret,
    PAYMENT_SERVICE_URL: "https://payments.example/charge",
    NOTIFICATION_SERVICE_URL: "https://notifications.example",
  });
  expect(settings).toMatchObject({ production: true, host: "0.0.0.0", databaseUrl: "postgres://db/shop" });
});

const numbers: [name: string, key: keyof Settings, min: number, max: number][] = [
  ["PORT", "port", 0, 65_535],
  ["METRICS_PORT", "metricsPort", 0, 65_535],
  ["TRUST_PROXY", "trustProxy", 0, 10],
  ["DATABASE_POOL_MAX", "databasePoolMax", 1, 500],
  ["CHECKOUT_CONCURRENCY", "checkoutConcurrency", 1, 500],
  ["JWT_ACCESS_TOKEN_EXPIRE_MINUTES", "accessTokenMinutes", 1, 1_440],
  ["JWT_REFRESH_TOKEN_EXPIRE_DAYS", "refreshTokenDays", 1, 365],
  ["PAYMENT_TIMEOUT_MS", "paymentTimeoutMs", 100, 60_000],
  ["NOTIFICATION_TIMEOUT_MS", "notificationTimeoutMs", 100, 60_000],
  ["RATE_LIMIT_MAX", "rateLimitMax", 0, 1_000_000],
];
test.each(numbers)("%s is a whole number within its bounds", (name, key, min, max) => {
  for (const value of [min, max]) expect(readSettings({ [name]: `${value}` })[key]).toBe(value);
  for (const value of [min - 1, max + 1, "1.5", "1e2", "0x10", "ten", "1 0"])
    expect(problems({ [name]: `${value}` }), `${value}`).toEqual([
      `${name} must be a whole number from ${min} to ${max}`,
    ]);
});

const malformed: [name: string, value: string][] = [
  ["NODE_ENV", "prod"],
  ["NODE_ENV", "Production"],
  ["API_PREFIX", "api"],
  ["API_PREFIX", "/"],
  ["API_PREFIX", "/api/"],
  ["LOG_LEVEL", "loud"],
  ["CORS_ORIGINS", "shop.example"],
  ["CORS_ORIGINS", "https://shop.example/"],
  ["CORS_ORIGINS", "https://shop.example, *"],
  ["DATABASE_URL", "mysql://db/shop"],
  ["DATABASE_URL", "db"],
  ["JWT_SECRET_KEY", "s".repeat(31)],
  ["JWT_SECRET_KEY", `${secret},short`],
  ["PAYMENT_SERVICE_URL", "payments.example"],
  ["NOTIFICATION_SERVICE_URL", "ftp://notifications.example"],
  ["S3_ENDPOINT", "s3.example"],
  ["SMTP_URL", "mail.example"],
  ["REDIS_URL", "http://redis:6379"],
  ["REDIS_URL", "http://redis"],
  ["KAFKA_BROKERS", "kafka"],
  ["KAFKA_BROKERS", "kafka:9092, other"],
  ["KAFKA_BROKERS", "kafka:65536"],
  ["WORKER", "on"],
  ["CURRENCY", "usd"],
  ["CURRENCY", "DOLLAR"],
];
test.each(malformed)("%s refuses %j", (name, value) => {
  expect(problems({ [name]: value })).toEqual([expect.stringMatching(`^${name} must `)]);
});

test("all that is malformed is named at once", () => {
  const env = { PORT: "x", API_PREFIX: "x", DATABASE_URL: "x", WORKER: "x", CURRENCY: "x" };
  expect(problems(env)).toHaveLength(5);
});

test("the secrets are a list whose first signs, and blanks around and between are nothing", () => {
  const other = "o".repeat(32);
  expect(readSettings({ JWT_SECRET_KEY: ` ${secret} , ${other},` }).jwtSecrets).toEqual([secret, other]);
});

test("the origins are a list, or any", () => {
  const list = "https://shop.example,http://localhost:5173";
  expect(readSettings({ CORS_ORIGINS: list }).corsOrigins).toEqual(list.split(","));
  expect(readSettings({ CORS_ORIGINS: "*" }).corsOrigins).toBe("*");
});

test("the Kafka brokers are a list, empty without them", () => {
  expect(readSettings({ KAFKA_BROKERS: "kafka-1:9092, 10.0.0.2:9093" }).kafkaBrokers).toEqual([
    "kafka-1:9092",
    "10.0.0.2:9093",
  ]);
  expect(readSettings({}).kafkaBrokers).toEqual([]);
});

test("an empty setting is no setting", () => {
  expect(readSettings({ PORT: "", CORS_ORIGINS: " ", DATABASE_URL: "" })).toEqual(readSettings({}));
});

test(".env.example names every setting, with its default", () => {
  const source = readFileSync(new URL("../src/config.ts", import.meta.url), "utf8");
  const read = source.matchAll(/(?:text|integer|oneOf|list|url)\(\s*"([A-Z\d_]+)"/g);
  const example = readFileSync(new URL("../.env.example", import.meta.url), "utf8");
  const lines = [...example.matchAll(/^#?([A-Z\d_]+)=(.*)$/gm)];
  const named = lines.map(([, name]) => name);
  // The AWS client reads these two by itself.
  const others = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
  expect(new Set(named)).toEqual(new Set([...others, ...[...read].map(([, name]) => name)]));

  const defaults = Object.fromEntries(lines.map(([, name, value]) => [name!, value]));
  expect(readSettings(defaults)).toEqual(readSettings({}));
});
