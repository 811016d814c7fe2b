import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Product } from "./schemas.ts";

/** Returns products with their variations and option groups, archived ones too, in any order. */
export const findProducts = (sql: Db, ids: string[]) => sql<Product[]>`
  select * from product_details where id = any(${ids}::uuid[])`;

interface Versioned {
  version: string;
  /** Time until the next sold-out item becomes available; null if there is none. */
  expires_in_ms: number | null;
}

const versioned = (sql: Db) => sql`
  (select version from menu_version) as version,
  (
    select extract(epoch from min(sold_out_until) - now())::float8 * 1000
    from (
      select sold_out_until from products
      union all select sold_out_until from variations
      union all select sold_out_until from options
    ) as row
    where sold_out_until > now() and sold_out_until < 'infinity'
  ) as expires_in_ms`;

/** Returns these products, archived ones too, with the version of the catalog in the same snapshot. */
export async function findVersionedProducts(
  sql: Db,
  ids: string[],
): Promise<Versioned & { products: Product[] }> {
  const [row] = await sql<[Versioned & { products: Product[] }]>`
    select
      ${versioned(sql)},
      (select coalesce(json_agg(product), '[]') from (${findProducts(sql, ids)}) as product) as products`;
  return row;
}

export interface MenuRow extends Versioned {
  categories: unknown[];
  products: unknown[];
}

export async function findMenu(sql: Db): Promise<MenuRow> {
  const [menu] = await sql<MenuRow[]>`
    select
      ${versioned(sql)},
      coalesce((
        select json_agg(json_build_object(
          'id', id, 'name', name, 'description', description, 'sort_order', sort_order
        ) order by sort_order, lower(name))
        from categories
        where archived_at is null
      ), '[]') as categories,
      coalesce((
        select json_agg(p order by c.sort_order nulls last, lower(c.name), p.id)
        from menu_products p
        left join categories c on c.id = p.category_id
      ), '[]') as products`;
  return menu!;
}

export async function findMenuVersion(sql: Db): Promise<string> {
  const [row] = await sql<{ version: string }[]>`select version from menu_version`;
  return row!.version;
}

/** Locks the catalog, so that edits run one after the other. Comes before any other lock of the edit. */
export async function lockMenu(tx: Db) {
  await tx`select from menu_version for update`;
}

export async function findProduct(sql: Db, id: string): Promise<Product | undefined> {
  const [product] = await sql<Product[]>`select * from product_details where id = ${id}`;
  return product;
}

export interface ProductFilter {
  archived: boolean;
  category_id?: string | undefined;
  q?: string | undefined;
}

export const listProducts = (sql: Db, { archived, category_id, q }: ProductFilter, page: PageRequest) => sql<
  Product[]
>`
  select *
  from product_details
  where archived_at is ${archived ? sql`not null` : sql`null`}
    ${category_id ? sql`and category_id = ${category_id}` : sql``}
    ${q ? sql`and position(lower(${q}) in lower(name)) > 0` : sql``}
    ${page.after ? sql`and id < ${page.after}` : sql``}
  order by id desc
  limit ${page.limit + 1}`;

/** Locks the product and by convention its children. Returns undefined for an archived product. */
export async function lockProductOnMenu(tx: Db, id: string): Promise<{ version: number } | undefined> {
  const [product] = await tx<{ version: number }[]>`
    select version from products where id = ${id} and archived_at is null for update`;
  return product;
}

export interface ProductFields {
  name: string;
  base_price_cents: number;
  category_id: string | null;
  description: string | null;
  image_url: string | null;
}

/** May violate `products_name_is_unique`. */
export async function insertProduct(tx: Db, id: string, fields: ProductFields) {
  await tx`insert into products ${tx({ id, ...fields })}`;
}

/** Updates all fields and raises the version. May violate `products_name_is_unique`. */
export async function updateProduct(tx: Db, id: string, fields: ProductFields) {
  await tx`
    update products set ${tx({ ...fields })}, version = version + 1, updated_at = now() where id = ${id}`;
}

export async function archiveProduct(tx: Db, id: string) {
  await tx`
    update products set archived_at = now(), version = version + 1, updated_at = now() where id = ${id}`;
}

/** Sets a time, "infinity", or null for available. Raises the version. */
export async function setProductSoldOut(tx: Db, id: string, until: string | null) {
  await tx`
    update products set sold_out_until = ${until}, version = version + 1, updated_at = now() where id = ${id}`;
}

export async function setVariationSoldOut(tx: Db, productId: string, id: string, until: string | null) {
  const { count } = await tx`
    update variations set sold_out_until = ${until}
    where id = ${id} and product_id = ${productId} and archived_at is null`;
  return count > 0;
}

export async function setOptionSoldOut(tx: Db, productId: string, id: string, until: string | null) {
  const { count } = await tx`
    update options set sold_out_until = ${until}
    from option_groups
    where options.id = ${id} and options.archived_at is null and option_groups.id = options.option_group_id
      and option_groups.product_id = ${productId} and option_groups.archived_at is null`;
  return count > 0;
}

export async function raiseVersion(tx: Db, id: string) {
  await tx`update products set version = version + 1, updated_at = now() where id = ${id}`;
}

/** Raises the version. A trigger removes the former picture if no product shows it. */
export async function setProductImage(tx: Db, id: string, imageUrl: string) {
  await tx`
    update products set image_url = ${imageUrl}, version = version + 1, updated_at = now() where id = ${id}`;
}

export interface VariationRow {
  id: string;
  name: string;
  price_change_cents: number;
}

/** Inserts or updates the variations of these products in order. Archives the other ones. */
export async function replaceVariations(
  tx: Db,
  productIds: string[],
  rows: (VariationRow & { product_id: string })[],
) {
  await tx`
    with kept as (
      insert into variations (id, product_id, name, price_change_cents, position)
      select id, product_id, name, price_change_cents, position
      from rows from (
        jsonb_to_recordset(${tx.json(rows as never)})
          as (id uuid, product_id uuid, name text, price_change_cents integer)
      ) with ordinality as row (id, product_id, name, price_change_cents, position)
      on conflict (id) do update set
        name = excluded.name, price_change_cents = excluded.price_change_cents, position = excluded.position
    )
    update variations set archived_at = now()
    where product_id = any(${productIds}::uuid[]) and archived_at is null
      and id <> all (${rows.map(({ id }) => id)}::uuid[])`;
}

export interface OptionGroupRow {
  id: string;
  name: string;
  min_select: number;
  max_select: number;
  options: VariationRow[];
}

/** Inserts or updates the option groups and options of a product in order. Archives the other ones. */
export async function replaceOptionGroups(tx: Db, productId: string, rows: OptionGroupRow[]) {
  await tx`
    with kept as (
      insert into option_groups (id, product_id, name, min_select, max_select, position)
      select row.id, ${productId}::uuid, row.name, row.min_select, row.max_select, position
      from rows from (
        jsonb_to_recordset(${tx.json(rows as never)})
          as (id uuid, name text, min_select smallint, max_select smallint)
      ) with ordinality as row (id, name, min_select, max_select, position)
      on conflict (id) do update set
        name = excluded.name, min_select = excluded.min_select, max_select = excluded.max_select,
        position = excluded.position
    )
    update option_groups set archived_at = now()
    where product_id = ${productId} and archived_at is null and id <> all (${rows.map(({ id }) => id)}::uuid[])`;
  const options = rows.flatMap((group) =>
    group.options.map((option, position) => ({ ...option, option_group_id: group.id, position })),
  );
  await tx`
    with kept as (
      insert into options (id, option_group_id, name, price_change_cents, position)
      select id, option_group_id, name, price_change_cents, position
      from jsonb_to_recordset(${tx.json(options as never)})
        as row (id uuid, option_group_id uuid, name text, price_change_cents integer, position smallint)
      on conflict (id) do update set
        name = excluded.name, price_change_cents = excluded.price_change_cents, position = excluded.position
    )
    update options set archived_at = now()
    where option_group_id = any (${rows.map(({ id }) => id)}::uuid[]) and archived_at is null
      and id <> all (${options.map(({ id }) => id)}::uuid[])`;
}
