// Products in memory, as exact as those in the database: whoever asks has just read which version the catalog has.
import type { Db } from "../db/pool.ts";
import { findVersionedProducts } from "./queries.ts";
import type { Product } from "./schemas.ts";

export interface KnownProducts {
  /**
   * Takes the catalog's version and ids in lower case; gives the products of these ids that there are, archived ones too,
   * in no order: those of that version, or newer ones, if they have to be read.
   */
  find: (sql: Db, version: string, ids: string[]) => Promise<Product[]>;
}

/** Keeps the products of one version, until the first of what is sold out comes back. */
export function keepProducts(): KnownProducts {
  let kept = { version: "", goodUntil: 0, products: new Map<string, Product>() };
  const isGood = (version: string) => kept.version === version && performance.now() < kept.goodUntil;

  return {
    async find(sql, version, ids) {
      const known = isGood(version) ? ids.flatMap((id) => kept.products.get(id) ?? []) : [];
      if (known.length === ids.length) return known;
      const asked = performance.now();
      const read = await findVersionedProducts(sql, ids);
      const goodUntil = read.good_for_ms === null ? Infinity : asked + read.good_for_ms;
      // What was read at once beside it, or in a transaction that began before, may be good for less.
      if (isGood(read.version)) kept.goodUntil = Math.min(kept.goodUntil, goodUntil);
      else kept = { version: read.version, goodUntil, products: new Map() };
      for (const product of read.products) kept.products.set(product.id, product);
      return read.products;
    },
  };
}
