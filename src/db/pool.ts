import type { ISql, Sql } from "postgres";
import { postgres } from "./mended-postgres.ts";

/** A pool or a transaction: what every query takes first. */
export type Db = ISql<Record<string, never>>;
/** A pool. */
export type Pool = Sql<Record<string, never>>;

export interface PoolOptions {
  /** Shown in pg_stat_activity. */
  name: string;
  max: number;
  /** Longest time that one of its transactions waits for something other than PostgreSQL, in milliseconds. */
  idleInTransactionMs?: number;
  /**
   * Plans each statement once for all its parameters, where planning would take longer than running; or anew each time,
   * where a plan for a table that was small would still be run when it is large, until PostgreSQL analyzes it. Else
   * PostgreSQL decides.
   */
  plan?: "once" | "anew";
  /** Called at each notice on a channel that its connection listens to. */
  onnotify?: () => void;
  /** Longest time that a session of it is silent, in milliseconds, after which PostgreSQL ends it; else for ever. */
  idleSessionMs?: number;
}

// No statement of ours takes a second; one that takes ten is in trouble, and its client has gone.
const statementTimeoutMs = 10_000;
// Rows are locked for one transaction of a few statements. Less than the statement's, so that the error says why.
const lockTimeoutMs = 5_000;
// Transactions hold statements only, one after the other. What stands still longer is a process that was stopped or a
// host that vanished: its locks go to the others. Placing waits for the payment provider, and says how long.
const idleInTransactionMs = 10_000;
// Between tries to connect, whatever the number of failures: PostgreSQL that is back is noticed at once, and a query
// that finds it gone is refused quickly.
const reconnectSeconds = 0.2;

const planCacheModes = { once: "force_generic_plan", anew: "force_custom_plan" };

/**
 * Takes a connection URL and gives a pool; connects at the first query. Times arrive as RFC 3339 strings in UTC
 * with milliseconds, so that a row can be sent as it was selected.
 */
export function openPool(url: string, { name, max, ...options }: PoolOptions): Pool {
  return postgres(url, {
    max,
    connect_timeout: 5,
    backoff: () => reconnectSeconds,
    // The driver would ask each new connection for the database's array types, in a promise that nobody holds: cut then,
    // it would take the process with it. The one array type that is used here is below.
    fetch_types: false,
    onnotice: () => {},
    // The driver takes it, and its types do not know.
    ...{ onnotify: options.onnotify },
    connection: {
      application_name: `ristretto ${name}`,
      TimeZone: "UTC",
      statement_timeout: statementTimeoutMs,
      lock_timeout: lockTimeoutMs,
      idle_in_transaction_session_timeout: options.idleInTransactionMs ?? idleInTransactionMs,
      idle_session_timeout: options.idleSessionMs ?? 0,
      ...(options.plan && { plan_cache_mode: planCacheModes[options.plan] }),
    },
    types: {
      date: {
        to: 1184,
        from: [1184],
        // RFC 3339 has offsets of up to a day, PostgreSQL of 15 hours.
        serialize: (value: string | Date) =>
          value instanceof Date || /[+-]\d\d:\d\d$/.test(value) ? new Date(value).toISOString() : value,
        // "0049-01-01 00:00:00+00": as it comes JavaScript would take it for a day of 2049, and the year 21 for none.
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

/**
 * Tells that the next statement of a transaction is its last: the commit leaves with it, and if it fails rolls back. What
 * comes after it is refused.
 */
export const last = (tx: Db) => {
  (tx as Db & { last: boolean }).last = true;
};

/** The constraint that an insert or update broke, if that is what the error is. */
export function brokenConstraint(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError && error.code.startsWith("23")
    ? error.constraint_name
    : undefined;
}
