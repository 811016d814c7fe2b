import { Type } from "@fastify/type-provider-typebox";
import type { TSchema } from "@sinclair/typebox";
import { ApiError } from "./errors.ts";
import { Nullable } from "./schemas.ts";
import { isUuid } from "./validation.ts";

export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: "Rows of a page, default 20" })),
  cursor: Type.Optional(
    Type.String({
      format: "cursor",
      description: "`next_cursor` of the previous page; without it the first page",
    }),
  ),
};

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
  /** The id of the row before the page, null for the first page. */
  after: string | null;
}

/** `list` returns the rows after `page.after`, at least `limit + 1` if there are as many. Throws `invalid_cursor`. */
export async function paginate<Row extends { id: string }>(
  query: { limit?: number; cursor?: string },
  list: (page: PageRequest) => Promise<Row[]>,
) {
  const { limit = 20, cursor } = query;
  const after = cursor === undefined ? null : decodeCursor(cursor);
  const rows = await list({ limit, after });
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const more = rows.length > limit && last;
  return { items, next_cursor: more ? encodeCursor(last.id) : null };
}

// A cursor is the id of the last row. Most lists are ordered by id, as UUIDv7 sorts by time; others look it up.
const encodeCursor = (id: string) => Buffer.from(id).toString("base64url");

function decodeCursor(cursor: string): string {
  const id = Buffer.from(cursor, "base64url").toString();
  // The decoder skips invalid characters, so the cursor is compared with the encoded id.
  if (!isUuid(id) || encodeCursor(id) !== cursor)
    throw new ApiError("invalid_cursor", "The cursor does not come from this list");
  return id;
}
