import type { Db } from "../db/pool.ts";
import type { PageRequest } from "../http/pagination.ts";
import type { Promotion, PromotionInput, PromotionPatch } from "./schemas.ts";

const columns = (sql: Db) =>
  sql`id, title, description, image_url, link_url, sort_order, starts_at, ends_at, created_at, updated_at`;

export const listCurrentPromotions = (sql: Db, page: PageRequest) => sql<Promotion[]>`
  select ${columns(sql)}
  from promotions
  where archived_at is null
    and coalesce(starts_at <= now(), true)
    and coalesce(ends_at > now(), true)
    ${
      page.after
        ? sql`and (sort_order, id) > (select sort_order, id from promotions where id = ${page.after})`
        : sql``
    }
  order by sort_order, id
  limit ${page.limit + 1}`;

export const listPromotions = (sql: Db, page: PageRequest) => sql<Promotion[]>`
  select ${columns(sql)}
  from promotions
  where archived_at is null
    ${page.after ? sql`and id < ${page.after}` : sql``}
  order by id desc
  limit ${page.limit + 1}`;

export async function findPromotion(sql: Db, id: string): Promise<Promotion | undefined> {
  const [promotion] = await sql<Promotion[]>`
    select ${columns(sql)} from promotions where id = ${id} and archived_at is null`;
  return promotion;
}

/** May violate `promotions_end_after_they_start`. */
export async function insertPromotion(sql: Db, id: string, fields: PromotionInput): Promise<Promotion> {
  const [promotion] = await sql<Promotion[]>`
    insert into promotions ${sql({ id, ...fields } as never)} returning ${columns(sql)}`;
  return promotion!;
}

/** Updates the given fields. Returns undefined if there is no row. May violate `promotions_end_after_they_start`. */
export async function updatePromotion(
  sql: Db,
  id: string,
  fields: PromotionPatch,
): Promise<Promotion | undefined> {
  const [promotion] = await sql<Promotion[]>`
    update promotions set ${sql(fields as never)}, updated_at = now()
    where id = ${id} and archived_at is null
    returning ${columns(sql)}`;
  return promotion;
}

export async function archivePromotion(sql: Db, id: string): Promise<boolean> {
  const { count } = await sql`
    update promotions set archived_at = now(), updated_at = now() where id = ${id} and archived_at is null`;
  return count > 0;
}
