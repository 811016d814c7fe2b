import type { Db } from "../db/pool.ts";
import type { ProductFields } from "./queries.ts";
import type { Product } from "./schemas.ts";

export interface Match {
  /** The name as PostgreSQL compares it. Rows with equal keys are the same product. */
  key: string;
  product: Product | null;
}

/** Returns for each name, in order, the product on the menu that has it, regardless of case. */
export const matchProducts = (tx: Db, names: string[]) => tx<Match[]>`
  select lower(row.name) as key, to_jsonb(p) as product
  from jsonb_array_elements_text(${tx.json(names)}) with ordinality as row (name, index)
  left join (
    product_details p join products held on held.id = p.id and held.archived_at is null
  ) on lower(held.name) = lower(row.name)
  order by row.index`;

export async function ensureCategories(tx: Db, rows: { id: string; name: string }[]): Promise<string[]> {
  await tx`
    insert into categories (id, name)
    select id, name from jsonb_to_recordset(${tx.json(rows)}) as row (id uuid, name text)
    on conflict (lower(name)) where archived_at is null do nothing`;
  const found = await tx<{ id: string }[]>`
    select c.id
    from jsonb_array_elements(${tx.json(rows)}) with ordinality as row (value, index)
    join categories c on lower(c.name) = lower(row.value ->> 'name') and c.archived_at is null
    order by row.index`;
  return found.map(({ id }) => id);
}

/** Inserts the products with a new id. Updates all fields of the others and raises their version. */
export async function writeProducts(tx: Db, rows: (ProductFields & { id: string })[]) {
  await tx`
    insert into products (id, category_id, name, description, image_url, base_price_cents)
    select id, category_id, name, description, image_url, base_price_cents
    from jsonb_to_recordset(${tx.json(rows as never)}) as row (
      id uuid, category_id uuid, name text, description text, image_url text, base_price_cents integer
    )
    on conflict (id) do update set
      category_id = excluded.category_id, name = excluded.name, description = excluded.description,
      image_url = excluded.image_url, base_price_cents = excluded.base_price_cents,
      version = products.version + 1, updated_at = now()`;
}

export type ExportRow = Pick<
  Product,
  "name" | "description" | "base_price_cents" | "image_url" | "variations"
> & {
  category: string | null;
};

export const listProductsForExport = (sql: Db) => sql<ExportRow[]>`
  select p.name, c.name as category, p.description, p.base_price_cents, p.image_url, p.variations
  from menu_products p
  left join categories c on c.id = p.category_id
  order by p.id`;
