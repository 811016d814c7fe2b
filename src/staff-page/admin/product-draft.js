// A product in the editor: amounts and numbers are text until they are sent.
import { wholeNumber } from "../ui/form.js";
import { formatChange, formatMoney, parseMoney, typedMoney } from "../ui/money.js";
import { newKey } from "../ui/rows.js";

/** @typedef {import("../../catalog/schemas.ts").Product} Product */
/** @typedef {import("../../catalog/schemas.ts").Category} Category */
/** @typedef {{ key: string, id?: string | undefined, name: string, price_change_cents: string }} DraftRow */
/** @typedef {{ key: string, id?: string | undefined, name: string, min_select: string, max_select: string, options: DraftRow[] }} DraftGroup */
/**
 * Fields are named as in the API.
 * @typedef {object} Draft
 * @property {string} name
 * @property {string} base_price_cents as typed: "4.50"
 * @property {string} category_id empty: none
 * @property {string} description
 * @property {string} image_url
 * @property {DraftRow[]} variations
 * @property {DraftGroup[]} option_groups
 */
/** @typedef {keyof Draft} Field */

/** @type {Record<Field, string>} */
export const labels = {
  name: "Name",
  base_price_cents: "Price",
  category_id: "Category",
  description: "Description",
  image_url: "Picture",
  variations: "Variations",
  option_groups: "Options",
};
const fields = /** @type {Field[]} */ (Object.keys(labels));

/** @type {Draft} */
export const emptyDraft = {
  name: "",
  base_price_cents: "",
  category_id: "",
  description: "",
  image_url: "",
  variations: [],
  option_groups: [],
};

/** Returns a new variation or option. */
export const blankRow = () => ({ key: newKey(), name: "", price_change_cents: "" });

/** Returns a new option group, of which one option may be chosen. */
export const blankGroup = () => ({
  key: newKey(),
  name: "",
  min_select: "0",
  max_select: "1",
  options: [blankRow()],
});

/**
 * Returns the draft of a product. Keeps the row keys of `sent`, its former draft, so that the focus stays.
 * @param {Product} product
 * @param {Draft} [sent]
 * @returns {Draft}
 */
export function draftOf(product, sent) {
  /** @param {Product["variations"][number] | Product["option_groups"][number]["options"][number]} row @param {DraftRow} [was] */
  const row = ({ id, name, price_change_cents: change }, was) => ({
    key: was?.key ?? id,
    id,
    name,
    price_change_cents: change === 0 ? "" : typedMoney(change),
  });
  return {
    name: product.name,
    base_price_cents: typedMoney(product.base_price_cents),
    category_id: product.category_id ?? "",
    description: product.description ?? "",
    image_url: product.image_url ?? "",
    variations: product.variations.map((variation, at) => row(variation, sent?.variations[at])),
    option_groups: product.option_groups.map((group, at) => {
      const was = sent?.option_groups[at];
      return {
        key: was?.key ?? group.id,
        id: group.id,
        name: group.name,
        min_select: String(group.min_select),
        max_select: String(group.max_select),
        options: group.options.map((option, nth) => row(option, was?.options[nth])),
      };
    }),
  };
}

/** A new product that is like this one. @param {Product} product @returns {Draft} */
export const copyOf = (product) => withIdsOf(draftOf(product), emptyDraft);

/** What the service is sent of it; what is no amount is sent as it is, and refused at its field. @param {Draft} draft */
export function bodyOf(draft) {
  const row = (/** @type {DraftRow} */ { id, name, price_change_cents: change }) => ({
    id,
    name,
    price_change_cents: change.trim() === "" ? 0 : (parseMoney(change) ?? change),
  });
  return {
    name: draft.name,
    base_price_cents: parseMoney(draft.base_price_cents) ?? draft.base_price_cents,
    category_id: draft.category_id || null,
    description: draft.description.trim() || null,
    image_url: draft.image_url.trim() || null,
    variations: draft.variations.map(row),
    option_groups: draft.option_groups.map(({ id, name, min_select, max_select, options }) => ({
      id,
      name,
      min_select: wholeNumber(min_select),
      max_select: wholeNumber(max_select),
      options: options.map(row),
    })),
  };
}

/** The fields in which two drafts would be sent differently. @param {Draft} one @param {Draft} other */
export function differences(one, other) {
  const [a, b] = [bodyOf(one), bodyOf(other)];
  return fields.filter((field) => JSON.stringify(a[field]) !== JSON.stringify(b[field]));
}

/**
 * Merges the input into a newer version: untouched fields take the newer values.
 * @param {Draft} mine
 * @param {Draft} base what both began with
 * @param {Draft} theirs
 * @returns {Draft}
 */
export function merge(mine, base, theirs) {
  const touched = differences(mine, base).map((field) => [field, mine[field]]);
  return withIdsOf({ ...theirs, ...Object.fromEntries(touched) }, theirs);
}

/** Rows that are no longer there are sent as new ones. @param {Draft} draft @param {Draft} there @returns {Draft} */
function withIdsOf(draft, there) {
  /**
   * @template {{ id?: string | undefined }} Row
   * @param {Row[]} rows
   * @param {{ id?: string | undefined }[]} known
   */
  const keep = (rows, known) =>
    rows.map((row) => (known.some(({ id }) => id === row.id) ? row : { ...row, id: undefined }));
  return {
    ...draft,
    variations: keep(draft.variations, there.variations),
    option_groups: keep(draft.option_groups, there.option_groups).map((group) => ({
      ...group,
      options: keep(group.options, there.option_groups.find(({ id }) => id === group.id)?.options ?? []),
    })),
  };
}

/**
 * Returns an error's path with row keys instead of indexes, because rows may be moved.
 * @param {string} path such as /variations/2/name
 * @param {Draft} sent
 */
export function pathByKeys(path, sent) {
  /** @type {any} */
  let at = sent;
  const steps = path.split("/").slice(1);
  return steps.reduce((so, step) => {
    const list = Array.isArray(at);
    at = at?.[step];
    return `${so}/${list && at ? at.key : step}`;
  }, "");
}

/** A field in words, to be compared. @param {Field} field @param {Draft} draft @param {Category[]} categories */
export function inBrief(field, draft, categories) {
  const row = (/** @type {DraftRow} */ { name, price_change_cents: change }) => {
    const cents = parseMoney(change || "0");
    return `${name}${cents === 0 ? "" : ` ${cents === undefined ? change : formatChange(cents)}`}`;
  };
  const text = {
    name: () => draft.name,
    base_price_cents: () => {
      const cents = parseMoney(draft.base_price_cents);
      return cents === undefined ? draft.base_price_cents : formatMoney(cents);
    },
    category_id: () => categories.find(({ id }) => id === draft.category_id)?.name,
    description: () => draft.description,
    image_url: () => draft.image_url,
    variations: () => draft.variations.map(row).join(", "),
    option_groups: () =>
      draft.option_groups
        .map(
          ({ name, min_select: min, max_select: max, options }) =>
            `${name}, ${min} to ${max} of: ${options.map(row).join(", ")}`,
        )
        .join("; "),
  }[field]();
  return text || "nothing";
}
