import type { Db } from "../db.ts";
import type { PageRequest } from "../paging.ts";
import type { Product } from "./schemas.ts";

/** The products of these ids, archived ones too, in no order, each with all that can be chosen. */
export const findProducts = (sql: Db, ids: string[]) => sql<Product[]>`
  select * from product_details where id = any(${ids}::uuid[])`;

/** The whole menu, as one row. */
export async function findMenu(sql: Db): Promise<{ categories: unknown[]; products: unknown[] }> {
  const [menu] = await sql<{ categories: unknown[]; products: unknown[] }[]>`
    select
      coalesce((
        select json_agg(json_build_object(
          'id', id, 'name', name, 'description', description, 'sort_order', sort_order
        ) order by sort_order, lower(name))
        from categories
        where archived_at is null
      ), '[]') as categories,
      coalesce((
        select json_agg(json_build_object(
          'id', p.id, 'name', p.name, 'description', p.description, 'category_id', p.category_id,
          'image_url', p.image_url, 'base_price_cents', p.base_price_cents, 'available', p.available,
          'variations', p.variations, 'option_groups', p.option_groups
        ) order by c.sort_order nulls last, lower(c.name), p.id)
        from product_details p
        left join categories c on c.id = p.category_id
        where p.archived_at is null
      ), '[]') as products`;
  return menu!;
}

export async function findProduct(sql: Db, id: string): Promise<Product | undefined> {
  const [product] = await sql<Product[]>`select * from product_details where id = ${id}`;
  return product;
}

export interface ProductFilter {
  archived: boolean;
  category_id?: string | undefined;
  /** Part of a name, in any case. */
  q?: string | undefined;
}

/** One row more than the page holds, newest first. */
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

/** Takes the product's row, and with it all the rows below, until the transaction ends. */
export async function lockProductOnMenu(tx: Db, id: string): Promise<{ version: number } | undefined> {
  const [product] = await tx<{ version: number }[]>`
    select version from products where id = ${id} and archived_at is null for update`;
  return product;
}

/** Whether the category is on the menu; then nobody archives it until the transaction ends. */
export async function lockCategory(tx: Db, id: string): Promise<boolean> {
  const found = await tx`select id from categories where id = ${id} and archived_at is null for share`;
  return found.length > 0;
}

export interface ProductFields {
  name: string;
  base_price_cents: number;
  category_id: string | null;
  description: string | null;
  image_url: string | null;
}

export async function insertProduct(tx: Db, id: string, fields: ProductFields) {
  await tx`insert into products ${tx({ id, ...fields })}`;
}

/** Writes all fields and raises the version. */
export async function updateProduct(tx: Db, id: string, fields: ProductFields) {
  await tx`
    update products set ${tx({ ...fields })}, version = version + 1, updated_at = now() where id = ${id}`;
}

export async function archiveProduct(tx: Db, id: string) {
  await tx`
    update products set archived_at = now(), version = version + 1, updated_at = now() where id = ${id}`;
}

/** A variation, with the id that it has or gets. */
export interface VariationRow {
  id: string;
  name: string;
  price_change_cents: number;
}

/** Makes `rows`, in their order, the product's variations; those it leaves out are archived. */
export async function replaceVariations(tx: Db, productId: string, rows: VariationRow[]) {
  await tx`
    with kept as (
      insert into variations (id, product_id, name, price_change_cents, position)
      select row.id, ${productId}::uuid, row.name, row.price_change_cents, position
      from rows from (
        jsonb_to_recordset(${tx.json(rows as never)}) as (id uuid, name text, price_change_cents integer)
      ) with ordinality as row (id, name, price_change_cents, position)
      on conflict (id) do update set
        name = excluded.name, price_change_cents = excluded.price_change_cents, position = excluded.position
    )
    update variations set archived_at = now()
    where product_id = ${productId} and archived_at is null and id <> all (${rows.map(({ id }) => id)}::uuid[])`;
}

export interface OptionGroupRow {
  id: string;
  name: string;
  min_select: number;
  max_select: number;
  options: VariationRow[];
}

/** Makes `rows`, in their order, the product's option groups with their options; what they leave out is archived. */
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
