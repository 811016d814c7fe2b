import { newId } from "../db/ids.ts";
import type { Db } from "../db/pool.ts";
import { ApiError, type FieldError } from "../http/errors.ts";
import { type OptionGroupRow, replaceOptionGroups, replaceVariations, type VariationRow } from "./queries.ts";
import type { OptionGroupInput, VariationInput } from "./schemas.ts";

export interface DesiredChildren {
  base_price_cents: number;
  variations: VariationInput[];
  option_groups: OptionGroupInput[];
}

interface NamedRow {
  id: string;
  name: string;
}

export interface ExistingChildren {
  variations: NamedRow[];
  option_groups: (NamedRow & { options: NamedRow[] })[];
}

export interface ProductChildren {
  variations: VariationRow[];
  option_groups: OptionGroupRow[];
}

/** Returns the desired rows with the ids of the existing ones. Throws `validation_failed` with every bad field. */
export function diffChildren(desired: DesiredChildren, existing: ExistingChildren): ProductChildren {
  const errors: FieldError[] = [];
  const variations = matchRows(desired.variations, existing.variations, "/variations", errors);
  const groups = matchRows(desired.option_groups, existing.option_groups, "/option_groups", errors);
  const option_groups = groups.map((group, index) => {
    const path = `/option_groups/${index}`;
    if (group.min_select > group.max_select)
      errors.push({ path: `${path}/min_select`, message: "Expected at most max_select" });
    if (group.min_select > group.options.length)
      errors.push({ path: `${path}/min_select`, message: "Expected at most the number of options" });
    const options = existing.option_groups.find(({ id }) => id === group.id)?.options ?? [];
    return { ...group, options: matchRows(group.options, options, `${path}/options`, errors) };
  });
  const lowestPrice =
    desired.base_price_cents + lowestVariationChange(variations) + lowestOptionsChange(option_groups);
  if (lowestPrice < 0)
    errors.push({ path: "/base_price_cents", message: `One combination would cost ${lowestPrice} cents` });
  if (errors.length > 0)
    throw new ApiError("validation_failed", errors.map(({ message }) => message).join("; "), { errors });
  return { variations, option_groups };
}

/** Returns each desired row with an id: its own, else that of the existing row of the same name, else a new one. */
function matchRows<T extends { id?: string; name: string }>(
  desired: T[],
  existing: NamedRow[],
  path: string,
  errors: FieldError[],
): (T & { id: string })[] {
  const key = (name: string) => name.trim().toLowerCase();
  const names = new Set<string>();
  const ids = desired.flatMap(({ id }) => id?.toLowerCase() ?? []);
  if (new Set(ids).size < ids.length) errors.push({ path, message: "Expected each id once" });
  return desired.map((row, index) => {
    if (names.has(key(row.name)))
      errors.push({ path: `${path}/${index}/name`, message: "Expected each name once in its list" });
    names.add(key(row.name));
    const id = row.id?.toLowerCase();
    if (id && !existing.some((known) => known.id === id))
      errors.push({ path: `${path}/${index}/id`, message: "The product has no such row" });
    // A row that is named by its id is not matched by its name too.
    const namesake = existing.find((known) => key(known.name) === key(row.name) && !ids.includes(known.id));
    return { ...row, id: id ?? namesake?.id ?? newId(), name: row.name.trim() };
  });
}

const lowestVariationChange = (variations: VariationRow[]) =>
  variations.length === 0 ? 0 : Math.min(...variations.map((row) => row.price_change_cents));

/** Returns the sum of each group's cheapest valid choice: the required options, and every option that lowers the price. */
function lowestOptionsChange(groups: OptionGroupRow[]): number {
  let sum = 0;
  for (const { min_select, max_select, options } of groups) {
    const changes = options.map((option) => option.price_change_cents).sort((a, b) => a - b);
    changes.slice(0, max_select).forEach((change, index) => {
      if (index < min_select || change < 0) sum += change;
    });
  }
  return sum;
}

export async function writeChildren(tx: Db, id: string, { variations, option_groups }: ProductChildren) {
  const rows = variations.map((row) => ({ ...row, product_id: id }));
  await replaceVariations(tx, [id], rows);
  await replaceOptionGroups(tx, id, option_groups);
}
