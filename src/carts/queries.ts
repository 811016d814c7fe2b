import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";

/** Inserts the cart. Returns undefined if one exists. */
export async function insertCart(sql: Db, userId: string): Promise<{ id: string } | undefined> {
  const [cart] = await sql<{ id: string }[]>`
    insert into carts (id, user_id) values (${newId()}, ${userId})
    on conflict (user_id) do nothing
    returning id`;
  return cart;
}

/** Locks the user's cart, and inserts a missing one, so that concurrent additions run one after another. */
export async function lockCart(tx: Db, userId: string): Promise<{ id: string }> {
  const [cart] = await tx<{ id: string }[]>`
    insert into carts (id, user_id) values (${newId()}, ${userId})
    on conflict (user_id) do update set updated_at = now()
    returning id`;
  return cart!;
}

export async function findCart(sql: Db, userId: string): Promise<{ id: string } | undefined> {
  const [cart] = await sql<{ id: string }[]>`select id from carts where user_id = ${userId}`;
  return cart;
}

export async function deleteCart(sql: Db, userId: string): Promise<string | undefined> {
  const [cart] = await sql<{ id: string }[]>`delete from carts where user_id = ${userId} returning id`;
  return cart?.id;
}

export interface CartLine {
  id: string;
  cart_id: string;
  product_id: string;
  variation_id: string | null;
  /** Sorted. */
  option_ids: string[];
  quantity: number;
  notes: string;
  /** The unit price when the line was last added. */
  seen_price_cents: number;
}

export const listCartLines = (sql: Db, userId: string) => sql<CartLine[]>`
  select i.id, i.cart_id, i.product_id, i.variation_id, to_json(i.option_ids) as option_ids, i.quantity, i.notes,
    i.seen_price_cents
  from cart_items i
  join carts c on c.id = i.cart_id
  where c.user_id = ${userId}
  order by i.id`;

export type NewCartLine = Omit<CartLine, "id" | "cart_id">;

/** Returns undefined beyond `maxLines`. Violates the quantity's check constraint if the sum exceeds 100. */
export async function addCartLine(
  tx: Db,
  cartId: string,
  line: NewCartLine,
  maxLines: number,
): Promise<{ id: string } | undefined> {
  const [added] = await tx<{ id: string }[]>`
    insert into cart_items (id, cart_id, product_id, variation_id, option_ids, quantity, notes, seen_price_cents)
    values (
      ${newId()}, ${cartId}, ${line.product_id}, ${line.variation_id}, ${line.option_ids}::uuid[], ${line.quantity},
      ${line.notes}, ${line.seen_price_cents}
    )
    on conflict (cart_id, product_id, variation_id, option_ids, md5(notes)) do update set
      quantity = cart_items.quantity + excluded.quantity, seen_price_cents = excluded.seen_price_cents,
      updated_at = now()
    returning id`;
  const [{ lines }] = await tx<[{ lines: number }]>`
    select count(*)::int as lines from cart_items where cart_id = ${cartId}`;
  return lines > maxLines ? undefined : added;
}

/** Sets a line's quantity. Returns the cart's id; undefined if the user has no such line. */
export async function setCartLineQuantity(
  sql: Db,
  userId: string,
  id: string,
  quantity: number,
): Promise<string | undefined> {
  const [line] = await sql<{ cart_id: string }[]>`
    update cart_items i set quantity = ${quantity}, updated_at = now()
    from carts c
    where i.id = ${id} and c.id = i.cart_id and c.user_id = ${userId}
    returning i.cart_id`;
  return line?.cart_id;
}

/** Deletes a line. Returns the cart's id; undefined if the user has no such line. */
export async function deleteCartLine(sql: Db, userId: string, id: string): Promise<string | undefined> {
  const [line] = await sql<{ cart_id: string }[]>`
    delete from cart_items i using carts c
    where i.id = ${id} and c.id = i.cart_id and c.user_id = ${userId}
    returning i.cart_id`;
  return line?.cart_id;
}

export async function deleteCartLines(sql: Db, userId: string): Promise<string | undefined> {
  const [line] = await sql<{ cart_id: string }[]>`
    delete from cart_items i using carts c
    where c.id = i.cart_id and c.user_id = ${userId}
    returning i.cart_id`;
  return line?.cart_id;
}

/** Locks the cart for one checkout until the transaction ends. Returns false at once if another checkout has it. */
export async function tryClaimCart(tx: Db, userId: string): Promise<boolean> {
  const [row] = await tx<{ claimed: boolean }[]>`
    select pg_try_advisory_xact_lock(hashtextextended('cart ' || ${userId}::text, 0)) as claimed`;
  return row!.claimed;
}

/** Subtracts the ordered quantities from their lines; additions since then stay. */
export async function takeOutOfCart(tx: Db, bought: { id: string; quantity: number }[]) {
  // Two statements: one must not both update and delete a row.
  await tx`
    delete from cart_items i using jsonb_to_recordset(${tx.json(bought)}) as bought (id uuid, quantity smallint)
    where i.id = bought.id and i.quantity <= bought.quantity`;
  await tx`
    update cart_items i set quantity = i.quantity - bought.quantity, updated_at = now()
    from jsonb_to_recordset(${tx.json(bought)}) as bought (id uuid, quantity smallint)
    where i.id = bought.id and i.quantity > bought.quantity`;
}
