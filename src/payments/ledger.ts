import type { Pool } from "../db/pool.ts";
import { insertPendingPayments, type NewPayment } from "./queries.ts";

/** Placements that ask for a charge while the ledger is being written share the next insert, and its commit. */
export interface Ledger {
  /** Resolves when the row is committed. */
  enter: (payment: NewPayment) => Promise<void>;
  /** For the ledger's other statements. */
  sql: Pool;
}

interface Entry {
  payment: NewPayment;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** At most `writers` inserts are under way at once, each on a connection of `sql`; nobody waits for a batch to fill. */
export function openLedger(sql: Pool, writers: number): Ledger {
  let waiting: Entry[] = [];
  let writing = 0;

  async function write() {
    writing++;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await insertPendingPayments(
          sql,
          batch.map(({ payment }) => payment),
        );
        for (const { resolve } of batch) resolve();
      } catch (error) {
        // None of them is in the ledger, so none of them is charged.
        for (const { reject } of batch) reject(error);
      }
    }
    writing--;
  }

  return {
    sql,
    enter: (payment) =>
      new Promise((resolve, reject) => {
        waiting.push({ payment, resolve, reject });
        if (writing < writers) write();
      }),
  };
}
