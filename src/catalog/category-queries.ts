import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Category, CategoryInput, CategoryPatch, MenuProduct } from "./schemas.ts";

const columns = (sql: Db) => sql`id, name, description, sort_order, created_at, updated_at`;

export const listCategories = (sql: Db, page: PageRequest) => sql<Category[]>`
  select ${columns(sql)}
  from categories
  where archived_at is null
    ${
      page.after
        ? sql`and (sort_order, lower(name), id) > (
            select sort_order, lower(name), id from categories where id = ${page.after})`
        : sql``
    }
  order by sort_order, lower(name), id
  limit ${page.limit + 1}`;

export async function findCategory(sql: Db, id: string): Promise<Category | undefined> {
  const [category] = await sql<Category[]>`
    select ${columns(sql)} from categories where id = ${id} and archived_at is null`;
  return category;
}

export const listProductsInCategory = (sql: Db, categoryId: string, page: PageRequest) => sql<MenuProduct[]>`
  select *
  from menu_products
  where category_id = ${categoryId}
    ${page.after ? sql`and id < ${page.after}` : sql``}
  order by id desc
  limit ${page.limit + 1}`;

export async function findProductInCategory(
  sql: Db,
  categoryId: string,
  id: string,
): Promise<MenuProduct | undefined> {
  const [product] = await sql<MenuProduct[]>`
    select * from menu_products where id = ${id} and category_id = ${categoryId}`;
  return product;
}

/** May violate `categories_name_is_unique`. */
export async function insertCategory(tx: Db, id: string, fields: CategoryInput): Promise<Category> {
  const [category] = await tx<Category[]>`
    insert into categories ${tx({ id, ...fields } as never)} returning ${columns(tx)}`;
  return category!;
}

/** Updates the given fields. Returns undefined if there is no row. May violate `categories_name_is_unique`. */
export async function updateCategory(
  tx: Db,
  id: string,
  fields: CategoryPatch,
): Promise<Category | undefined> {
  const [category] = await tx<Category[]>`
    update categories set ${tx(fields as never)}, updated_at = now()
    where id = ${id} and archived_at is null
    returning ${columns(tx)}`;
  return category;
}

/** Locks the category against archiving. Returns whether it is on the menu. */
export async function lockCategoryForShare(tx: Db, id: string): Promise<boolean> {
  const found = await tx`select id from categories where id = ${id} and archived_at is null for share`;
  return found.length > 0;
}

/** Locks the category against new products. Returns whether it is on the menu. */
export async function lockCategoryForUpdate(tx: Db, id: string): Promise<boolean> {
  const found = await tx`select id from categories where id = ${id} and archived_at is null for update`;
  return found.length > 0;
}

export async function countProductsInCategory(tx: Db, id: string): Promise<number> {
  const [row] = await tx<{ count: number }[]>`
    select count(*)::int as count from products where category_id = ${id} and archived_at is null`;
  return row!.count;
}

export async function archiveCategory(tx: Db, id: string) {
  await tx`update categories set archived_at = now(), updated_at = now() where id = ${id}`;
}
