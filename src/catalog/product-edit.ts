// Editing a product with all that is below it in one request.

import { newId } from "../db/ids.ts";
import { type Db, type Pool, violatedConstraint } from "../db/pool.ts";
import { insertEvent } from "../events/queries.ts";
import { ApiError, type FieldError, invalidField, notFound } from "../http/errors.ts";
import { lockCategory } from "./category-queries.ts";
import { type ImageRow, imageUrl, insertImage } from "./image-queries.ts";
import {
  archiveProduct,
  findProduct,
  insertProduct,
  lockMenu,
  lockProductOnMenu,
  type OptionGroupRow,
  raiseVersion,
  replaceOptionGroups,
  replaceVariations,
  setOptionSoldOut,
  setProductImage,
  setProductSoldOut,
  setVariationSoldOut,
  updateProduct,
  type VariationRow,
} from "./queries.ts";
import type { OptionGroupInput, Product, ProductPatch, VariationInput } from "./schemas.ts";

/** What a new product is, before anything is said of it. */
export const blank = {
  category_id: null,
  description: null,
  image_url: null,
  variations: [],
  option_groups: [],
};

/** Makes a product. Throws `validation_failed` and `name_taken`. */
export const createProduct = (sql: Pool, input: ProductPatch & { name: string; base_price_cents: number }) =>
  write(sql, async (tx) => {
    const id = newId();
    const wanted = plan({ ...blank, ...input }, { variations: [], option_groups: [] });
    await holdCategory(tx, input.category_id);
    await insertProduct(tx, id, wanted.fields);
    await writeBelow(tx, id, wanted);
    return id;
  });

/**
 * Changes what `change` names and leaves the rest. `expectedVersions` is If-Match. Throws `not_found`,
 * `stale_version`, `validation_failed` and `name_taken`.
 */
export const changeProduct = (sql: Pool, id: string, change: ProductPatch, expectedVersions: IfMatch) =>
  write(sql, async (tx) => {
    const before = await lock(tx, id, expectedVersions);
    const wanted = plan({ ...before, ...change }, before);
    await holdCategory(tx, change.category_id);
    await updateProduct(tx, id, wanted.fields);
    await writeBelow(tx, id, wanted);
    return id;
  });

/** Makes the product exactly what is given: what is not named becomes empty. Throws as `changeProduct` does. */
export const replaceProduct = (
  sql: Pool,
  id: string,
  product: ProductPatch & { name: string; base_price_cents: number },
  expectedVersions: IfMatch,
) => changeProduct(sql, id, { ...blank, ...product }, expectedVersions);

/** Takes a product off the menu for good; receipts go on to name it. Throws `not_found` and `stale_version`. */
export const removeProduct = (sql: Pool, id: string, expectedVersions: IfMatch) =>
  write(sql, async (tx) => {
    await lock(tx, id, expectedVersions);
    await archiveProduct(tx, id);
    return id;
  });

/** The versions that an If-Match header lets pass; undefined for any. */
export type IfMatch = string[] | undefined;

/** Reads `If-Match: "3"` or a list of such; `*`, or no header, is any version. A weak tag matches nothing. */
export const readIfMatch = (header: string | undefined): IfMatch =>
  header === undefined || header.trim() === "*" ? undefined : header.split(",").map((tag) => tag.trim());

/** The ETag of a product: its version. */
export const versionTag = ({ version }: { version: number }) => `"${version}"`;

/** Says what of a product is sold out, all of it or one variation or option. */
export interface Availability {
  variation_id?: string | undefined;
  option_id?: string | undefined;
  /** A time, or "infinity", or null: available. */
  soldOutUntil: string | null;
}

/** Throws `not_found` for a product that is not on the menu, `validation_failed` for what is not the product's. */
export const changeAvailability = (
  sql: Pool,
  id: string,
  { variation_id, option_id, soldOutUntil }: Availability,
) =>
  write(sql, async (tx) => {
    await lock(tx, id, undefined);
    if (variation_id) {
      if (!(await setVariationSoldOut(tx, id, variation_id, soldOutUntil)))
        throw invalidField("/variation_id", "is no variation of this product");
      await raiseVersion(tx, id);
    } else if (option_id) {
      if (!(await setOptionSoldOut(tx, id, option_id, soldOutUntil)))
        throw invalidField("/option_id", "is no option of this product");
      await raiseVersion(tx, id);
    } else await setProductSoldOut(tx, id, soldOutUntil);
    return id;
  });

/** Makes an uploaded picture the product's. Throws `not_found`. */
export const changeImage = (sql: Pool, id: string, image: ImageRow) =>
  write(sql, async (tx) => {
    await lock(tx, id, undefined);
    await insertImage(tx, image);
    await setProductImage(tx, id, imageUrl(image.name));
    return id;
  });

/** Runs one edit in a transaction and says that the menu has changed. Gives the product as it is then. */
async function write(sql: Pool, edit: (tx: Db) => Promise<string>): Promise<Product> {
  try {
    return await sql.begin(async (tx) => {
      await lockMenu(tx);
      const id = await edit(tx);
      await insertEvent(tx, { type: "menu.changed", subject_id: id, data: { product_id: id } });
      return (await findProduct(tx, id))!;
    });
  } catch (error) {
    throw toRefusal(error);
  }
}

/** A name that is taken, as a refusal; every other error as it is. */
export function toRefusal(error: unknown): unknown {
  const constraint = violatedConstraint(error);
  if (constraint === "products_name_is_taken_once")
    return new ApiError("name_taken", "Another product on the menu has this name");
  const list = constraint && listsOfNames[constraint];
  return list ? invalidField(list, "Expected each name once in its list") : error;
}

// Names that are equal to PostgreSQL's lower() and not to ours, such as two sigmas, are met at the commit.
const listsOfNames: Record<string, string> = {
  variations_name_is_taken_once_in_a_product: "/variations",
  option_groups_name_is_taken_once_in_a_product: "/option_groups",
  options_name_is_taken_once_in_a_group: "/option_groups",
};

/** Locks the product before it is read, so that two managers at once take turns. */
async function lock(tx: Db, id: string, expectedVersions: IfMatch): Promise<Product> {
  const locked = await lockProductOnMenu(tx, id);
  if (!locked) throw notFound("Product");
  if (expectedVersions && !expectedVersions.includes(versionTag(locked)))
    throw new ApiError("stale_version", `The product is at version ${locked.version} by now`);
  return (await findProduct(tx, id))!;
}

/** Keeps the category, if one is named, on the menu until the product is in it. Throws `validation_failed`. */
async function holdCategory(tx: Db, id: string | null | undefined) {
  if (id && !(await lockCategory(tx, id))) throw invalidField("/category_id", "names no category");
}

interface Below {
  variations: { id: string; name: string }[];
  option_groups: { id: string; name: string; options: { id: string; name: string }[] }[];
}

interface Wanted {
  name: string;
  base_price_cents: number;
  category_id: string | null;
  description: string | null;
  image_url: string | null;
  variations: VariationInput[];
  option_groups: OptionGroupInput[];
}

/** Takes what is wanted and what is there; gives the rows to write. Throws `validation_failed`. */
export function plan(wanted: Wanted, there: Below) {
  const { name, base_price_cents, category_id, description, image_url, variations, option_groups } = wanted;
  const errors: FieldError[] = [];
  const rows = {
    variations: match(variations, there.variations, "/variations", errors).map(toVariation),
    option_groups: match(option_groups, there.option_groups, "/option_groups", errors).map((group, index) => {
      const path = `/option_groups/${index}`;
      if (group.min_select > group.max_select)
        errors.push({ path: `${path}/min_select`, message: "Expected at most max_select" });
      if (group.min_select > group.options.length)
        errors.push({ path: `${path}/min_select`, message: "Expected at most the number of options" });
      const options = there.option_groups.find(({ id }) => id === group.id)?.options ?? [];
      return { ...group, options: match(group.options, options, `${path}/options`, errors).map(toVariation) };
    }),
  };
  const cheapest =
    base_price_cents + cheapestVariation(rows.variations) + cheapestOptions(rows.option_groups);
  if (cheapest < 0)
    errors.push({ path: "/base_price_cents", message: `One combination would cost ${cheapest} cents` });
  if (errors.length > 0)
    throw new ApiError("validation_failed", errors.map(({ message }) => message).join("; "), { errors });
  return { fields: { name: name.trim(), base_price_cents, category_id, description, image_url }, ...rows };
}

const toVariation = ({ id, name, price_change_cents }: VariationRow): VariationRow => ({
  id,
  name,
  price_change_cents,
});

/** Gives each wanted row the id of the row that it is: by `id` when given, else by name, else a new one. */
function match<T extends { id?: string; name: string }>(
  wanted: T[],
  there: { id: string; name: string }[],
  path: string,
  errors: FieldError[],
): (T & { id: string })[] {
  const key = (name: string) => name.trim().toLowerCase();
  const names = new Set<string>();
  const ids = new Set<string>(wanted.flatMap(({ id }) => id?.toLowerCase() ?? []));
  if (ids.size < wanted.filter(({ id }) => id).length)
    errors.push({ path, message: "Expected each id once" });
  return wanted.map((row, index) => {
    if (names.has(key(row.name)))
      errors.push({ path: `${path}/${index}/name`, message: "Expected each name once in its list" });
    names.add(key(row.name));
    const id = row.id?.toLowerCase();
    if (id && !there.some((known) => known.id === id))
      errors.push({ path: `${path}/${index}/id`, message: "There is no such row in this product" });
    // A row that another one claims by its id is not also this one's by its name.
    const namesake = there.find((known) => key(known.name) === key(row.name) && !ids.has(known.id));
    return { ...row, id: id ?? namesake?.id ?? newId(), name: row.name.trim() };
  });
}

const cheapestVariation = (variations: VariationRow[]) =>
  variations.length === 0 ? 0 : Math.min(...variations.map((row) => row.price_change_cents));

/** Of each group the cheapest choice that its rules allow: as few as needed, and every option that lowers the price. */
function cheapestOptions(groups: OptionGroupRow[]): number {
  let sum = 0;
  for (const { min_select, max_select, options } of groups) {
    const changes = options.map((option) => option.price_change_cents).sort((a, b) => a - b);
    changes.slice(0, max_select).forEach((change, index) => {
      if (index < min_select || change < 0) sum += change;
    });
  }
  return sum;
}

async function writeBelow(
  tx: Db,
  id: string,
  rows: { variations: VariationRow[]; option_groups: OptionGroupRow[] },
) {
  await replaceVariations(
    tx,
    [id],
    rows.variations.map((row) => ({ ...row, product_id: id })),
  );
  await replaceOptionGroups(tx, id, rows.option_groups);
}
