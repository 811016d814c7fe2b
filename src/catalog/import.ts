import { newId } from "../db/ids.ts";
import type { Db, Pool } from "../db/pool.ts";
import { insertEvents } from "../events/queries.ts";
import { ApiError, type FieldError } from "../http/errors.ts";
import { validatorCompiler } from "../http/validation.ts";
import { CsvProblem, formulaError, isFormula, type RawRow, readCsv } from "./csv.ts";
import { mapConstraintError } from "./edit.ts";
import { ensureCategories, type Match, matchProducts, writeProducts } from "./import-queries.ts";
import { diffChildren } from "./product-children.ts";
import { emptyProduct, toFields } from "./product-edit.ts";
import { lockMenu, replaceVariations } from "./queries.ts";
import { type ImportResult, ImportRow } from "./schemas.ts";

export const maxImportBytes = 2 * 1024 * 1024;
const maxRows = 1_000;
const maxErrors = 1_000;

type RowError = FieldError & { row: number };

const checkRow = validatorCompiler({ schema: ImportRow, method: "POST", url: "import", httpPart: "body" });

/** Imports all rows or none; a dry run rolls back. Throws `import_failed`, `name_taken` and `validation_failed`. */
export async function importProducts(
  sql: Pool,
  input: string | unknown[],
  dryRun: boolean,
): Promise<ImportResult> {
  const rows = readRows(input);
  let counts: Pick<ImportResult, "created" | "updated"> | undefined;
  try {
    await sql.begin(async (tx) => {
      counts = await writeRows(tx, rows);
      if (dryRun) throw rollback;
    });
  } catch (error) {
    if (error !== rollback) throw mapConstraintError(error);
  }
  return { dry_run: dryRun, rows: rows.length, ...counts! };
}

const rollback = new Error("rolls back a dry run");

function readRows(input: string | unknown[]): ImportRow[] {
  const raw = typeof input === "string" ? readFile(input) : input.map(readObject);
  if (raw.length > maxRows)
    throw importFailed([{ row: maxRows + 1, path: "", message: `Expected at most ${maxRows} rows` }]);
  const errors: RowError[] = [];
  const rows = raw.map(({ fields, errors: found }, index) => {
    const checked = checkRow(fields) as { value?: ImportRow; error?: ApiError };
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

async function writeRows(tx: Db, rows: ImportRow[]) {
  await lockMenu(tx);
  const names = rows.map(({ name }) => name);
  const matches = await matchProducts(tx, names);
  rejectDuplicates(matches);

  const categories = await writeCategories(tx, rows);
  const products = planRows(rows, matches, categories);
  const changed = products.filter(({ hasVariations }) => hasVariations);
  await writeProducts(
    tx,
    products.map(({ id, fields }) => ({ id, ...fields })),
  );
  await replaceVariations(
    tx,
    changed.map(({ id }) => id),
    changed.flatMap(({ id, variations }) => variations.map((row) => ({ ...row, product_id: id }))),
  );
  await insertEvents(
    tx,
    products.map(({ id }) => ({ type: "menu.changed", subject_id: id, data: { product_id: id } })),
  );
  // Checks deferred constraints now, so that a dry run finds their violations too.
  await tx`set constraints all immediate`;
  const updated = matches.filter(({ product }) => product).length;
  return { created: rows.length - updated, updated };
}

async function writeCategories(tx: Db, rows: ImportRow[]): Promise<(string | undefined)[]> {
  const named = rows.flatMap(({ category }) =>
    category === undefined ? [] : { id: newId(), name: category.trim() },
  );
  const ids = (await ensureCategories(tx, named)).values();
  return rows.map(({ category }) => (category === undefined ? undefined : ids.next().value));
}

function planRows(rows: ImportRow[], matches: Match[], categories: (string | undefined)[]) {
  const errors: RowError[] = [];
  const products = rows.flatMap(({ category: _, ...cells }, index) => {
    const row = index + 1;
    const existing = matches[index]!.product ?? { ...emptyProduct, id: newId(), base_price_cents: undefined };
    const category_id = categories[index] ?? existing.category_id;
    const { base_price_cents, ...desired } = { ...existing, ...cells, category_id };
    if (base_price_cents === undefined) {
      errors.push({ row, path: "/base_price_cents", message: "Expected a price for a new product" });
      return [];
    }
    try {
      const product = { ...desired, base_price_cents };
      const { variations } = diffChildren(product, existing);
      const hasVariations = cells.variations !== undefined;
      return [{ id: existing.id, fields: toFields(product), variations, hasVariations }];
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      errors.push(...error.extensions.errors!.map((found) => ({ row, ...found })));
      return [];
    }
  });
  if (errors.length > 0) throw importFailed(errors);
  return products;
}

function rejectDuplicates(matches: Match[]) {
  const firstRows = new Map<string, number>();
  const errors = matches.flatMap(({ key }, index) => {
    const first = firstRows.get(key);
    if (first === undefined) firstRows.set(key, index + 1);
    return first === undefined
      ? []
      : { row: index + 1, path: "/name", message: `Row ${first} has the same name` };
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
