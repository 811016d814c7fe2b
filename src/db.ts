import postgres from "postgres";

/** A pool or a transaction: what every query takes first. */
export type Db = postgres.ISql<Record<string, never>>;
/** A pool. */
export type Pool = postgres.Sql<Record<string, never>>;

export interface PoolOptions {
  /** Shown in pg_stat_activity. */
  name: string;
  max: number;
  /** Milliseconds after which the server cuts a statement. */
  statementTimeoutMs?: number;
}

/**
 * Takes a connection URL and gives a pool; connects at the first query. Times arrive as RFC 3339 strings in UTC
 * with milliseconds, so that a row can be sent as it was selected.
 */
export function openPool(url: string, { name, max, statementTimeoutMs = 10_000 }: PoolOptions): Pool {
  return postgres(url, {
    max,
    connect_timeout: 5,
    onnotice: () => {},
    connection: {
      application_name: `ristretto ${name}`,
      TimeZone: "UTC",
      statement_timeout: statementTimeoutMs,
    },
    types: {
      date: {
        to: 1184,
        from: [1082, 1114, 1184],
        serialize: (value: string | Date) => (value instanceof Date ? value.toISOString() : value),
        parse: (value: string) => new Date(value).toISOString(),
      },
    },
  }) as unknown as Pool;
}

/** The constraint that an insert or update broke, if that is what the error is. */
export function brokenConstraint(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError && error.code.startsWith("23")
    ? error.constraint_name
    : undefined;
}
