// Reads and validates every setting. Nothing else reads the environment.
import { readFileSync } from "node:fs";

export const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

export interface Settings {
  production: boolean;
  host: string;
  port: number;
  apiPrefix: string;
  logLevel: string;
  /** The number of proxies in front of the service, whose X-Forwarded-For entries it trusts. */
  trustProxy: number;
  corsOrigins: string[] | "*";
  /** Undefined only in development, which then starts the embedded PostgreSQL. */
  databaseUrl: string | undefined;
  databasePoolMax: number;
  /** Checkouts that may hold a connection at once. */
  checkoutConcurrency: number;
  /** Undefined: instances share only the database. */
  redisUrl: string | undefined;
  /** host:port each. Empty: events are not sent to Kafka. */
  kafkaBrokers: string[];
  /** The first one signs; all verify. */
  jwtSecrets: [string, ...string[]];
  accessTokenMinutes: number;
  refreshTokenDays: number;
  /** Undefined only in development, which then starts the sandbox provider. */
  paymentServiceUrl: string | undefined;
  /** Undefined: a person must make every refund. */
  paymentRefundUrl: string | undefined;
  paymentTimeoutMs: number;
  /** Undefined only in development, which then starts the sandbox provider. */
  notificationServiceUrl: string | undefined;
  notificationTimeoutMs: number;
  /** Undefined: images are stored in PostgreSQL. */
  s3Bucket: string | undefined;
  /** Undefined: Amazon S3. */
  s3Endpoint: string | undefined;
  s3Region: string;
  /** Undefined: development logs the codes; production disables signup and password reset. */
  smtpUrl: string | undefined;
  mailFrom: string;
  /** Undefined: signing in with Telegram is disabled. */
  telegramBotToken: string | undefined;
  /** Requests per minute and IP; 0 is off. */
  rateLimitMax: number;
  /** Undefined: failures are only logged. */
  sentryDsn: string | undefined;
  worker: "inline" | "off";
  /** 0 is off. */
  metricsPort: number;
  currency: string;
}

export type CompleteSettings = Settings & {
  databaseUrl: string;
  paymentServiceUrl: string;
  notificationServiceUrl: string;
};

/** Throws if a setting is missing, which `readSettings` excludes in production. */
export function assertComplete(settings: Settings): CompleteSettings {
  const { databaseUrl, paymentServiceUrl, notificationServiceUrl } = settings;
  if (!databaseUrl || !paymentServiceUrl || !notificationServiceUrl)
    throw new Error("the settings are incomplete");
  return { ...settings, databaseUrl, paymentServiceUrl, notificationServiceUrl };
}

/** In development codes are printed to the log. */
export const canSendMail = ({ production, smtpUrl }: Settings) => !production || smtpUrl !== undefined;

/** Printed without a stack: its message tells the operator everything. */
export class OperatorError extends Error {}

export class SettingsError extends OperatorError {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(`The settings are invalid:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

const logLevels = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];

const developmentSecret = "ristretto-development-secret-never-for-production";

/** The settings that production must have; "all": those without a default. */
export type RequiredSettings = "all" | readonly string[];

/** Throws SettingsError naming every missing or malformed setting. */
export function readSettings(
  env: Record<string, string | undefined>,
  required: RequiredSettings = "all",
): Settings {
  const problems: string[] = [];
  const text = (name: string): string | undefined => env[name]?.trim() || undefined;
  const integer = (name: string, fallback: number, min: number, max: number): number => {
    const value = text(name);
    if (value === undefined) return fallback;
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= min && number <= max) return number;
    problems.push(`${name} must be a whole number from ${min} to ${max}`);
    return fallback;
  };
  const oneOf = (name: string, fallback: string, values: string[]): string => {
    const value = text(name) ?? fallback;
    if (!values.includes(value)) problems.push(`${name} must be one of ${values.join(", ")}`);
    return value;
  };
  // A typing error here would start a public shop with the published development passwords.
  const production = oneOf("NODE_ENV", "development", ["development", "test", "production"]) === "production";
  const list = (name: string): string[] => (text(name) ?? "").split(",").flatMap((part) => part.trim() || []);
  const missing = (name: string) => {
    if (production && (required === "all" || required.includes(name)))
      problems.push(`${name} is missing; production has no default for it`);
  };
  const url = (name: string, protocols: string[], { optional = false } = {}): string | undefined => {
    const value = text(name);
    if (value === undefined) {
      if (!optional) missing(name);
      return undefined;
    }
    if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol))
      problems.push(`${name} must be a URL that begins with ${protocols.join("// or ")}//`);
    return value;
  };

  const apiPrefix = text("API_PREFIX") ?? "/api/v1";
  if (!/^(\/[\w.~-]+)+$/.test(apiPrefix)) problems.push("API_PREFIX must look like /api/v1");

  let jwtSecrets = list("JWT_SECRET_KEY");
  if (jwtSecrets.length === 0) {
    missing("JWT_SECRET_KEY");
    jwtSecrets = [developmentSecret];
  }
  if (jwtSecrets.some((secret) => secret.length < 32))
    problems.push("JWT_SECRET_KEY must be at least 32 characters long (each one of a comma-separated list)");

  const corsOrigins = list("CORS_ORIGINS");
  const anyOrigin = corsOrigins.length === 1 && corsOrigins[0] === "*";
  if (!anyOrigin && corsOrigins.some((origin) => URL.parse(origin)?.origin !== origin))
    problems.push("CORS_ORIGINS must be * or a comma-separated list of origins such as https://shop.example");

  const kafkaBrokers = list("KAFKA_BROKERS");
  if (!kafkaBrokers.every((broker) => /^[\w.-]+:\d+$/.test(broker) && URL.canParse(`kafka://${broker}`)))
    problems.push("KAFKA_BROKERS must be a comma-separated list of host:port");

  const currency = text("CURRENCY") ?? "USD";
  if (!/^[A-Z]{3}$/.test(currency)) problems.push("CURRENCY must be a three-letter code such as USD");

  const settings: Settings = {
    production,
    host: text("HOST") ?? (production ? "0.0.0.0" : "127.0.0.1"),
    port: integer("PORT", 8000, 0, 65535),
    apiPrefix,
    logLevel: oneOf("LOG_LEVEL", "info", logLevels),
    trustProxy: integer("TRUST_PROXY", 0, 0, 10),
    corsOrigins: anyOrigin ? "*" : corsOrigins,
    databaseUrl: url("DATABASE_URL", ["postgres:", "postgresql:"]),
    databasePoolMax: integer("DATABASE_POOL_MAX", 10, 1, 500),
    checkoutConcurrency: integer("CHECKOUT_CONCURRENCY", 20, 1, 500),
    redisUrl: url("REDIS_URL", ["redis:", "rediss:"], { optional: true }),
    kafkaBrokers,
    jwtSecrets: jwtSecrets as [string, ...string[]],
    accessTokenMinutes: integer("JWT_ACCESS_TOKEN_EXPIRE_MINUTES", 30, 1, 1_440),
    refreshTokenDays: integer("JWT_REFRESH_TOKEN_EXPIRE_DAYS", 7, 1, 365),
    paymentServiceUrl: url("PAYMENT_SERVICE_URL", ["http:", "https:"]),
    paymentRefundUrl: url("PAYMENT_REFUND_URL", ["http:", "https:"], { optional: true }),
    paymentTimeoutMs: integer("PAYMENT_TIMEOUT_MS", 10_000, 100, 60_000),
    notificationServiceUrl: url("NOTIFICATION_SERVICE_URL", ["http:", "https:"]),
    notificationTimeoutMs: integer("NOTIFICATION_TIMEOUT_MS", 15_000, 100, 60_000),
    s3Bucket: text("S3_BUCKET"),
    s3Endpoint: url("S3_ENDPOINT", ["http:", "https:"], { optional: true }),
    s3Region: text("S3_REGION") ?? "us-east-1",
    smtpUrl: url("SMTP_URL", ["smtp:", "smtps:"], { optional: true }),
    mailFrom: text("MAIL_FROM") ?? "Ristretto <no-reply@ristretto.example>",
    telegramBotToken: text("TELEGRAM_BOT_TOKEN"),
    rateLimitMax: integer("RATE_LIMIT_MAX", 600, 0, 1_000_000),
    sentryDsn: url("SENTRY_DSN", ["http:", "https:"], { optional: true }),
    worker: oneOf("WORKER", "inline", ["inline", "off"]) as "inline" | "off",
    metricsPort: integer("METRICS_PORT", 0, 0, 65_535),
    currency,
  };
  if (problems.length > 0) throw new SettingsError(problems);
  return settings;
}
