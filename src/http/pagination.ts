import { Type } from "@fastify/type-provider-typebox";
import type { TSchema } from "@sinclair/typebox";
import { ApiError } from "./errors.ts";
import { Nullable } from "./schemas.ts";
import { isUuid } from "./validation.ts";

/** Query parameters of every list. */
export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: "Rows of a page, default 20" })),
  cursor: Type.Optional(
    Type.String({
      format: "cursor",
      description: "`next_cursor` of the previous page; without it the first page",
    }),
  ),
};

/** A page of a list, with a title such as `OrderPage`. */
export const Page = <T extends TSchema>(item: T) =>
  Type.Object(
    {
      items: Type.Array(item),
      next_cursor: Nullable(Type.String({ description: "Send it as `cursor`; null on the last page" })),
    },
    { title: `${item.title}Page` },
  );

export interface PageRequest {
  limit: number;
  /** Rows come after the one of this id, in the order of the list. */
  after: string | null;
}

/** Takes a list's query; throws `invalid_cursor` for one that this service did not make. */
export function readPage(query: { limit?: number; cursor?: string }): PageRequest {
  const { limit = 20, cursor } = query;
  if (cursor === undefined) return { limit, after: null };
  const after = Buffer.from(cursor, "base64url").toString();
  // Decoding skips what is no base64url: only what this service would have written is a cursor.
  if (!isUuid(after) || toCursor(after) !== cursor)
    throw new ApiError("invalid_cursor", "The cursor is not one that a list gave");
  return { limit, after };
}

const toCursor = (id: string) => Buffer.from(id).toString("base64url");

/**
 * Takes up to `limit + 1` rows in the order of the list and gives a page. The cursor is the last row's id: most lists
 * are in the order of the id alone, for UUIDv7 sorts by time; the others look up by it where they were.
 */
export function toPage<Row extends { id: string }>(rows: Row[], { limit }: PageRequest) {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const more = rows.length > limit && last;
  return { items, next_cursor: more ? toCursor(last.id) : null };
}
