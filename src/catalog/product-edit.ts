import { newId } from "../db/ids.ts";
import type { Db, Pool } from "../db/pool.ts";
import { ApiError, invalidField, notFound } from "../http/errors.ts";
import { lockCategoryForShare } from "./category-queries.ts";
import { editCatalog } from "./edit.ts";
import { type ImageRow, imageUrl, insertImage } from "./image-queries.ts";
import { diffChildren, writeChildren } from "./product-children.ts";
import {
  archiveProduct,
  findProduct,
  insertProduct,
  lockProductOnMenu,
  type ProductFields,
  raiseVersion,
  setOptionSoldOut,
  setProductImage,
  setProductSoldOut,
  setVariationSoldOut,
  updateProduct,
} from "./queries.ts";
import type { Product, ProductPatch } from "./schemas.ts";

export const emptyProduct = {
  category_id: null,
  description: null,
  image_url: null,
  variations: [],
  option_groups: [],
};

type NewProduct = ProductPatch & { name: string; base_price_cents: number };

/** Inserts a product. Throws `validation_failed` and `name_taken`. */
export function createProduct(sql: Pool, input: NewProduct) {
  const id = newId();
  const desired = { ...emptyProduct, ...input };
  return editProduct(sql, id, async (tx) => {
    const children = diffChildren(desired, emptyProduct);
    await lockCategory(tx, input.category_id);
    await insertProduct(tx, id, toFields(desired));
    await writeChildren(tx, id, children);
  });
}

/** Throws `not_found`, `stale_version`, `validation_failed` and `name_taken`. */
export const changeProduct = (sql: Pool, id: string, change: ProductPatch, versions: IfMatch) =>
  editProduct(sql, id, async (tx) => {
    const existing = await lockProduct(tx, id, versions);
    const desired = { ...existing, ...change };
    const children = diffChildren(desired, existing);
    await lockCategory(tx, change.category_id);
    await updateProduct(tx, id, toFields(desired));
    await writeChildren(tx, id, children);
  });

/** Replaces the product: an omitted field becomes empty. Throws as `changeProduct` does. */
export const replaceProduct = (sql: Pool, id: string, product: NewProduct, versions: IfMatch) =>
  changeProduct(sql, id, { ...emptyProduct, ...product }, versions);

/** Archives a product. Throws `not_found` and `stale_version`. */
export const removeProduct = (sql: Pool, id: string, versions: IfMatch) =>
  editProduct(sql, id, async (tx) => {
    await lockProduct(tx, id, versions);
    await archiveProduct(tx, id);
  });

export interface Availability {
  variation_id?: string | undefined;
  option_id?: string | undefined;
  /** A time, "infinity", or null for available. */
  soldOutUntil: string | null;
}

/** Sets when a product, a variation or an option is sold out. Throws `not_found` and `validation_failed`. */
export const changeAvailability = (
  sql: Pool,
  id: string,
  { variation_id, option_id, soldOutUntil }: Availability,
) =>
  editProduct(sql, id, async (tx) => {
    await lockProduct(tx, id, undefined);
    if (!variation_id && !option_id) return setProductSoldOut(tx, id, soldOutUntil);
    if (variation_id && !(await setVariationSoldOut(tx, id, variation_id, soldOutUntil)))
      throw invalidField("/variation_id", "is not a variation of this product");
    if (option_id && !(await setOptionSoldOut(tx, id, option_id, soldOutUntil)))
      throw invalidField("/option_id", "is not an option of this product");
    await raiseVersion(tx, id);
  });

export const changeImage = (sql: Pool, id: string, image: ImageRow) =>
  editProduct(sql, id, async (tx) => {
    await lockProduct(tx, id, undefined);
    await insertImage(tx, image);
    await setProductImage(tx, id, imageUrl(image.name));
  });

const editProduct = (sql: Pool, id: string, edit: (tx: Db) => Promise<void>): Promise<Product> =>
  editCatalog(sql, { product_id: id }, async (tx) => {
    await edit(tx);
    return (await findProduct(tx, id))!;
  });

/** The ETags in an If-Match header; undefined for any version. */
export type IfMatch = string[] | undefined;

/** Reads `If-Match: "3"` or a list. `*` and no header accept any version. A weak ETag matches none. */
export const readIfMatch = ({ "if-match": header }: { "if-match"?: string }): IfMatch =>
  header === undefined || header.trim() === "*" ? undefined : header.split(",").map((tag) => tag.trim());

export const versionTag = ({ version }: { version: number }) => `"${version}"`;

/** Locks the row before the product is read, so that concurrent edits of its children run one after the other. */
async function lockProduct(tx: Db, id: string, versions: IfMatch): Promise<Product> {
  const locked = await lockProductOnMenu(tx, id);
  if (!locked) throw notFound("Product");
  if (versions && !versions.includes(versionTag(locked)))
    throw new ApiError("stale_version", `The product has version ${locked.version}`);
  return (await findProduct(tx, id))!;
}

/** Locks the category, so that it is not archived before the product is in it. Throws `validation_failed`. */
async function lockCategory(tx: Db, id: string | null | undefined) {
  if (id && !(await lockCategoryForShare(tx, id)))
    throw invalidField("/category_id", "is not a category on the menu");
}

export const toFields = (product: ProductFields): ProductFields => ({
  name: product.name.trim(),
  base_price_cents: product.base_price_cents,
  category_id: product.category_id,
  description: product.description,
  image_url: product.image_url,
});
