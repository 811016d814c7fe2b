import { findProducts } from "../catalog/queries.ts";
import type { Product } from "../catalog/schemas.ts";
import { type Db, type Pool, violatedConstraint } from "../db/pool.ts";
import { insertEvent } from "../events/queries.ts";
import { ApiError, notFound } from "../http/errors.ts";
import { lineProblemsError, priceLine } from "../orders/pricing.ts";
import type { Order, OrderLineInput } from "../orders/schemas.ts";
import {
  addCartLine,
  type CartLine,
  findCart,
  listCartLines,
  lockCart,
  takeOutOfCart,
  tryClaimCart,
} from "./queries.ts";
import type { Cart, CartItem, CartProblem, SkippedItem } from "./schemas.ts";

const maxLines = 50;

/** Returns the user's cart with current prices; an empty cart with a null id if none exists. */
export async function readCart(sql: Db, userId: string): Promise<Cart> {
  const [cart, lines] = await Promise.all([findCart(sql, userId), listCartLines(sql, userId)]);
  const products = await productsOf(sql, lines);
  const priced = lines.map((line) => priceCartLine(line, products.get(line.product_id)));
  return {
    id: cart?.id ?? null,
    items: priced.map(({ item }) => item),
    total_cents: priced.reduce((sum, { item }) => sum + (item.total_cents ?? 0), 0),
    problems: priced.flatMap(({ problems }) => problems),
  };
}

function priceCartLine(
  line: CartLine,
  product: Product | undefined,
): { item: CartItem; problems: CartProblem[] } {
  const { id, product_id, variation_id, option_ids, quantity, seen_price_cents } = line;
  const price = priceLine(toOrderLine(line), product);
  if (Array.isArray(price)) {
    const options = (product?.option_groups ?? []).flatMap((group) => group.options);
    const item = {
      id,
      product_id,
      variation_id,
      option_ids,
      product_name: product?.name ?? null,
      variation_name: product?.variations.find((variation) => variation.id === variation_id)?.name ?? null,
      options: options.filter((option) => option_ids.includes(option.id)),
      quantity,
      unit_price_cents: null,
      total_cents: null,
      notes: line.notes || null,
    };
    const byCode = new Map(price.map(({ code, message }) => [code, { item_id: id, code, message }]));
    return { item, problems: [...byCode.values()] };
  }
  const { unit_price_cents } = price;
  const message = `${price.product_name} cost ${seen_price_cents} cents when it was added, and ${unit_price_cents} now`;
  const problems: CartProblem[] =
    unit_price_cents === seen_price_cents ? [] : [{ item_id: id, code: "price_changed", message }];
  return { item: { id, option_ids, ...price }, problems };
}

const toOrderLine = ({
  product_id,
  variation_id,
  option_ids,
  quantity,
  notes,
}: Pick<CartLine, "product_id" | "variation_id" | "option_ids" | "quantity"> & {
  notes: string | null;
}): OrderLineInput => ({
  product_id,
  ...(variation_id && { variation_id }),
  option_ids,
  quantity,
  ...(notes && { notes }),
});

async function productsOf(sql: Db, lines: { product_id: string }[]): Promise<Map<string, Product>> {
  const ids = new Set(lines.map(({ product_id }) => product_id));
  return new Map((await findProducts(sql, [...ids])).map((product) => [product.id, product]));
}

/** Inserts the event in the same transaction. Throws `not_found` if no cart changed, `quantity_limit` above 100. */
export async function changeCart(sql: Pool, userId: string, change: (tx: Db) => Promise<string | undefined>) {
  try {
    await sql.begin(async (tx) => {
      const cartId = await change(tx);
      if (!cartId) throw notFound("Cart item");
      await insertCartEvent(tx, userId, cartId);
    });
  } catch (error) {
    if (violatedConstraint(error) === "cart_items_quantity_is_1_to_100")
      throw new ApiError("quantity_limit", "A line holds at most 100 units");
    throw error;
  }
}

const insertCartEvent = (tx: Db, userId: string, cartId: string) =>
  insertEvent(tx, { type: "cart.updated", subject_id: cartId, data: { cart_id: cartId, user_id: userId } });

/** Throws `invalid_item`, `sold_out`, and `quantity_limit` beyond 50 lines; the caller must roll back. */
export async function addToCart(
  tx: Db,
  userId: string,
  line: OrderLineInput,
): Promise<{ id: string; cartId: string }> {
  const [cart, [product]] = await Promise.all([lockCart(tx, userId), findProducts(tx, [line.product_id])]);
  const price = priceLine(line, product);
  if (Array.isArray(price)) throw lineProblemsError(price);
  const { product_id, variation_id, options, quantity, notes, unit_price_cents } = price;
  const option_ids = options.map(({ id }) => id).sort();
  const stored = { product_id, variation_id, option_ids, quantity, notes: notes ?? "" };
  const added = await addCartLine(tx, cart.id, { ...stored, seen_price_cents: unit_price_cents }, maxLines);
  if (!added) throw new ApiError("quantity_limit", `A cart holds at most ${maxLines} lines`);
  return { id: added.id, cartId: cart.id };
}

/** Returns the lines of the user's cart for one placement, which purchases them as they are when it reserves them. */
export function cartLineSource(userId: string) {
  let reserved: CartLine[] = [];
  return {
    async reserve(tx: Db) {
      const [locked, lines] = await Promise.all([tryClaimCart(tx, userId), listCartLines(tx, userId)]);
      reserved = locked ? lines : [];
      return reserved.map(toOrderLine);
    },
    async removePurchased(tx: Db) {
      const bought = reserved.map(({ id, quantity }) => ({ id, quantity }));
      await Promise.all([takeOutOfCart(tx, bought), insertCartEvent(tx, userId, reserved[0]!.cart_id)]);
    },
  };
}

/** Adds the lines of an order that are still available to the cart. Returns the skipped lines. Throws `quantity_limit`. */
export async function reorder(sql: Pool, userId: string, order: Order): Promise<SkippedItem[]> {
  const products = await productsOf(sql, order.items);
  const skipped: SkippedItem[] = [];
  const available = order.items.flatMap((item) => {
    const line = toOrderLine({ ...item, option_ids: item.options.map(({ id }) => id) });
    const price = priceLine(line, products.get(line.product_id));
    if (!Array.isArray(price)) return [line];
    skipped.push({ product_name: item.product_name, code: price[0]!.code });
    return [];
  });
  if (available.length > 0)
    await changeCart(sql, userId, async (tx) => {
      let cartId: string | undefined;
      for (const line of available) ({ cartId } = await addToCart(tx, userId, line));
      return cartId;
    });
  return skipped;
}
