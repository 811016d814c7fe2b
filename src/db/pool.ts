import postgres, { type ISql, type Sql } from "postgres";
import { assertPatchedDriver } from "./driver.ts";

/** A pool or a transaction: the first parameter of every query function. */
export type Db = ISql<Record<string, never>>;
export type Pool = Sql<Record<string, never>>;

export interface PoolOptions {
  name: string;
  max: number;
  /** PostgreSQL ends a session whose transaction is idle for longer. */
  idleInTransactionMs?: number;
  /** Generic where planning takes longer than running; custom where a table grows faster than its statistics. */
  planCacheMode?: "force_generic_plan" | "force_custom_plan";
  onnotify?: () => void;
  /** PostgreSQL ends a session that is idle for longer; by default never. */
  idleSessionMs?: number;
}

const statementTimeoutMs = 10_000;
// Shorter than the statement timeout, so that the error names the lock.
const lockTimeoutMs = 5_000;
// Frees the locks of a process that was stopped and of a host that vanished.
const idleInTransactionMs = 10_000;
// Constant: a query finds a PostgreSQL that is back at once, and fails fast while it is away.
const reconnectSeconds = 0.2;

/** Reads times as RFC 3339 strings in UTC with milliseconds. Throws if the driver is not patched. */
export function openPool(url: string, { name, max, ...options }: PoolOptions): Pool {
  assertPatchedDriver();
  return postgres(url, {
    max,
    connect_timeout: 5,
    backoff: () => reconnectSeconds,
    // The driver fetches array types in a promise that it does not handle: a lost connection would end the process.
    fetch_types: false,
    onnotice: () => {},
    // An option that the driver's types lack.
    ...{ onnotify: options.onnotify },
    connection: {
      application_name: `ristretto ${name}`,
      TimeZone: "UTC",
      statement_timeout: statementTimeoutMs,
      lock_timeout: lockTimeoutMs,
      idle_in_transaction_session_timeout: options.idleInTransactionMs ?? idleInTransactionMs,
      idle_session_timeout: options.idleSessionMs ?? 0,
      ...(options.planCacheMode && { plan_cache_mode: options.planCacheMode }),
    },
    types: {
      date: {
        to: 1184,
        from: [1184],
        // RFC 3339 allows offsets of up to a day, PostgreSQL up to 15 hours.
        serialize: (value: string | Date) =>
          value instanceof Date || /[+-]\d\d:\d\d$/.test(value) ? new Date(value).toISOString() : value,
        // JavaScript would read PostgreSQL's "0049-01-01 00:00:00+00" as a day of 2049.
        parse: (value: string) => new Date(`${value.replace(" ", "T")}:00`).toISOString(),
      },
      uuids: {
        to: 2951,
        from: [],
        serialize: (ids: string[]) => `{${ids.join(",")}}`,
        parse: String,
      },
    },
  }) as unknown as Pool;
}

export function violatedConstraint(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError && error.code.startsWith("23")
    ? error.constraint_name
    : undefined;
}
