// Products in memory by version of the catalog. The caller reads the current version first, so they are never stale.
import type { Db } from "../db/pool.ts";
import { findVersionedProducts } from "./queries.ts";
import type { Product } from "./schemas.ts";

export interface ProductCache {
  /** Returns products of these lower-case ids, archived ones too, at the given version or a newer one. */
  find: (sql: Db, version: string, ids: string[]) => Promise<Product[]>;
}

/** Returns a cache of one version. It expires when the next sold-out item becomes available. */
export function createProductCache(): ProductCache {
  let cached = { version: "", expiresAt: 0, products: new Map<string, Product>() };
  const isFresh = (version: string) => cached.version === version && performance.now() < cached.expiresAt;

  return {
    async find(sql, version, ids) {
      const hits = isFresh(version) ? ids.flatMap((id) => cached.products.get(id) ?? []) : [];
      if (hits.length === ids.length) return hits;
      const startedAt = performance.now();
      const read = await findVersionedProducts(sql, ids);
      const expiresAt = read.expires_in_ms === null ? Infinity : startedAt + read.expires_in_ms;
      // A concurrent read, or one in an older transaction, may expire earlier.
      if (isFresh(read.version)) cached.expiresAt = Math.min(cached.expiresAt, expiresAt);
      else cached = { version: read.version, expiresAt, products: new Map() };
      for (const product of read.products) cached.products.set(product.id, product);
      return read.products;
    },
  };
}
