import { CsvError, parse } from "csv-parse/sync";
import type { FieldError } from "../http/errors.ts";
import type { ExportRow } from "./import-queries.ts";

export const columns = ["name", "category", "description", "base_price_cents", "image_url", "variations"];

// A spreadsheet runs such a cell as a formula. The export escapes it by an apostrophe, which the import removes.
const formula = /^'*[=+\-@\t\r]/;
const escapedFormula = /^'+[=+\-@\t\r]/;

export const isFormula = (name: string) => /^[=+\-@\t]|^\s*[=+\-@]/.test(name);

/** The file is not CSV of this form. `row` is 0 for the header and 1 for the first row after it. */
export class CsvProblem extends Error {
  readonly row: number;
  readonly path: string;
  constructor(row: number, path: string, message: string) {
    super(message);
    this.row = row;
    this.path = path;
  }
}

/** A row before validation, without its empty cells. A cell of another form stays text. */
export interface RawRow {
  fields: Record<string, unknown>;
  errors: FieldError[];
}

export function readCsv(file: string, limit: number): RawRow[] {
  const [header = [], ...lines] = parseLines(file, limit + 1);
  const names = header.map((cell) => cell.trim());
  const missing = columns.find((column) => !names.includes(column));
  if (missing || names.length !== columns.length)
    throw new CsvProblem(0, missing ? `/${missing}` : "", `Expected the header ${columns.join(",")}`);
  return lines.map((cells) => {
    const row: RawRow = { fields: {}, errors: [] };
    if (cells.length !== names.length)
      row.errors.push({ path: "", message: `Expected ${names.length} cells, not ${cells.length}` });
    names.forEach((column, index) => {
      const cell = cells[index] ?? "";
      if (column === "name" && isFormula(cell)) row.errors.push(formulaError);
      const value = readCell(column, escapedFormula.test(cell) ? cell.slice(1) : cell);
      if (value !== "") row.fields[column] = value;
    });
    return row;
  });
}

export const formulaError = {
  path: "/name",
  message: "Expected a name that a spreadsheet does not run as a formula",
};

function readCell(column: string, cell: string): unknown {
  if (column === "base_price_cents" && /^\s*\d{1,9}\s*$/.test(cell)) return Number(cell);
  if (column === "variations" && cell.length <= maxVariationsCharacters) return readVariations(cell);
  return cell;
}

function parseLines(file: string, to: number): string[][] {
  try {
    return parse(file, {
      bom: true,
      to,
      record_delimiter: ["\r\n", "\n", "\r"],
      relax_column_count: true,
      skip_empty_lines: true,
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new CsvProblem(Number(error.records ?? 0), "", `Not well-formed CSV: ${error.message}`);
  }
}

// Enough for 50 variations of the longest names. Validation rejects a longer cell as text.
const maxVariationsCharacters = 20_000;

/** Reads `Small:-50|Large:+80`. In a name, `\|` is a bar and `\\` a backslash. */
const readVariations = (cell: string) =>
  cell.match(/(?:\\[\\|]|[^|])+/g)?.map((part) => {
    const [, name = part, change] = /^(.*):\s*([+-]?\d{1,9})\s*$/s.exec(part) ?? [];
    return { name: name.replace(/\\([\\|])/g, "$1"), price_change_cents: change ? Number(change) : null };
  }) ?? cell;

const writeVariations = (variations: ExportRow["variations"]) =>
  variations
    .map(
      ({ name, price_change_cents: change }) =>
        `${name.replace(/[\\|]/g, "\\$&")}:${change > 0 ? "+" : ""}${change}`,
    )
    .join("|");

export const writeCsv = (rows: ExportRow[]) =>
  [
    columns,
    ...rows.map((row) => [
      row.name,
      row.category ?? "",
      row.description ?? "",
      String(row.base_price_cents),
      row.image_url ?? "",
      writeVariations(row.variations),
    ]),
  ]
    .map((cells) => `${cells.map(writeCell).join(",")}\r\n`)
    .join("");

function writeCell(cell: string) {
  const escaped = escapeFormula(cell);
  return /[",\r\n]/.test(escaped) ? `"${escaped.replaceAll('"', '""')}"` : escaped;
}

const escapeFormula = (cell: string) => (formula.test(cell) ? `'${cell}` : cell);
