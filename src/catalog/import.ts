// Importing products, by name: all rows or none. Every statement is for all rows at once.

import { newId } from "../db/ids.ts";
import type { Db, Pool } from "../db/pool.ts";
import { insertEvents } from "../events/queries.ts";
import { ApiError, type FieldError } from "../http/errors.ts";
import { validatorCompiler } from "../http/validation.ts";
import { CsvProblem, formulaError, isFormula, type RawRow, readCsv } from "./csv.ts";
import { ensureCategories, type Match, matchProducts, writeProducts } from "./import-queries.ts";
import { blank, plan, toRefusal } from "./product-edit.ts";
import { lockMenu, replaceVariations } from "./queries.ts";
import { type ImportResult, ImportRow } from "./schemas.ts";

export const maxImportBytes = 2 * 1024 * 1024;
const maxRows = 1_000;
/** More than anybody reads; a file of another form has one for each cell. */
const maxErrors = 1_000;

type RowError = FieldError & { row: number };

const checkRow = validatorCompiler({ schema: ImportRow, method: "POST", url: "import", httpPart: "body" });

/**
 * Takes a CSV file, or the array of a JSON one; makes the products that are new and changes those that are known. A
 * dry run does all of it, too, and undoes it. Throws `import_failed`, `name_taken` and `validation_failed`.
 */
export async function importProducts(
  sql: Pool,
  input: string | unknown[],
  dryRun: boolean,
): Promise<ImportResult> {
  const rows = readRows(input);
  let result: ImportResult | undefined;
  try {
    await sql.begin(async (tx) => {
      result = await writeRows(tx, rows, dryRun);
      if (dryRun) throw undo;
    });
  } catch (error) {
    if (error !== undo) throw toRefusal(error);
  }
  return result!;
}

const undo = new Error("a dry run ends here");

/** Takes what was sent, gives the rows as they should be. Throws `import_failed` with every bad cell. */
function readRows(input: string | unknown[]): ImportRow[] {
  const raw = typeof input === "string" ? readFile(input) : input.map(readObject);
  if (raw.length > maxRows)
    throw importFailed([{ row: maxRows + 1, path: "", message: `Expected at most ${maxRows} rows` }]);
  const errors: RowError[] = [];
  const rows = raw.map(({ fields, errors: found }, index) => {
    const checked = checkRow(fields) as { value?: ImportRow; error?: ApiError };
    // One error for each cell.
    const all = [...found, ...(checked.error?.extensions.errors ?? [])];
    const byPath = new Map(all.map((error) => [error.path, error]));
    for (const error of byPath.values()) errors.push({ row: index + 1, ...error });
    return checked.value as ImportRow;
  });
  if (errors.length > 0) throw importFailed(errors);
  return rows.map((row) => ({ ...row, name: row.name.trim() }));
}

function readFile(file: string): RawRow[] {
  try {
    return readCsv(file, maxRows + 1);
  } catch (error) {
    if (error instanceof CsvProblem)
      throw importFailed([{ row: error.row, path: error.path, message: error.message }]);
    throw error;
  }
}

function readObject(row: unknown): RawRow {
  if (typeof row !== "object" || row === null || Array.isArray(row))
    return { fields: {}, errors: [{ path: "", message: "Expected an object" }] };
  const fields = Object.entries(row).filter(([, value]) => value !== null && value !== "");
  const { name } = row as { name?: unknown };
  const errors = typeof name === "string" && isFormula(name) ? [formulaError] : [];
  return { fields: Object.fromEntries(fields), errors };
}

async function writeRows(tx: Db, rows: ImportRow[], dryRun: boolean): Promise<ImportResult> {
  await lockMenu(tx);
  const matches = await matchProducts(
    tx,
    rows.map(({ name }) => name),
  );
  refuseTwins(matches);

  const errors: RowError[] = [];
  const named = rows.flatMap(({ category }) =>
    category === undefined ? [] : { id: newId(), name: category.trim() },
  );
  const categories = await ensureCategories(tx, named);
  const planned = rows.map(({ category, ...fields }, index) => {
    const before = matches[index]!.product ?? { ...blank, id: newId(), base_price_cents: undefined };
    const category_id = category === undefined ? before.category_id : categories.shift()!;
    const { base_price_cents, ...wanted } = { ...before, ...fields, category_id };
    const row = index + 1;
    if (base_price_cents === undefined)
      errors.push({ row, path: "/base_price_cents", message: "Expected a price: the product is new" });
    else
      try {
        const { id } = before;
        return { id, variations: fields.variations, plan: plan({ ...wanted, base_price_cents }, before) };
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        errors.push(...error.extensions.errors!.map((found) => ({ row, ...found })));
      }
    return undefined;
  });
  if (errors.length > 0) throw importFailed(errors);

  const good = planned.filter((row) => row !== undefined);
  const changed = good.filter(({ variations }) => variations !== undefined);
  await writeProducts(
    tx,
    good.map(({ id, plan }) => ({ id, ...plan.fields })),
  );
  await replaceVariations(
    tx,
    changed.map(({ id }) => id),
    changed.flatMap(({ id, plan }) => plan.variations.map((row) => ({ ...row, product_id: id }))),
  );
  await insertEvents(
    tx,
    good.map(({ id }) => ({ type: "menu.changed", subject_id: id, data: { product_id: id } })),
  );
  // What the commit would refuse, a dry run refuses too.
  await tx`set constraints all immediate`;
  const updated = matches.filter(({ product }) => product).length;
  return { dry_run: dryRun, rows: rows.length, created: rows.length - updated, updated };
}

/** Throws `import_failed` if two rows are the same product. */
function refuseTwins(matches: Match[]) {
  const seen = new Map<string, number>();
  const errors = matches.flatMap(({ key }, index) => {
    const first = seen.get(key);
    if (first === undefined) seen.set(key, index + 1);
    return first === undefined
      ? []
      : { row: index + 1, path: "/name", message: `Row ${first} has this name too` };
  });
  if (errors.length > 0) throw importFailed(errors);
}

const importFailed = (errors: RowError[]) =>
  new ApiError(
    "import_failed",
    errors
      .slice(0, 5)
      .map(({ row, path, message }) => `Row ${row}${path && ` ${path}`}: ${message}`)
      .join("; "),
    { errors: errors.slice(0, maxErrors) },
  );
