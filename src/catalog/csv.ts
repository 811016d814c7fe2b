// The catalog as a spreadsheet: what a cell means, both ways.
import { CsvError, parse } from "csv-parse/sync";
import type { FieldError } from "../http/errors.ts";
import type { ExportRow } from "./import-queries.ts";

export const columns = ["name", "category", "description", "base_price_cents", "image_url", "variations"];

// What a spreadsheet would run as a formula. Exported, such a cell gets an apostrophe before it, as spreadsheets do
// themselves; imported, the apostrophe goes again.
const formula = /^'*[=+\-@\t\r]/;
const disarmed = /^'+[=+\-@\t\r]/;

/** Whether a spreadsheet would run this name, with its blanks or without. */
export const isFormula = (name: string) => /^[=+\-@\t]|^\s*[=+\-@]/.test(name);

/** The file can't be read row by row. `row` is 1 for the first after the header, 0 for the header itself. */
export class CsvProblem extends Error {
  readonly row: number;
  readonly path: string;
  constructor(row: number, path: string, message: string) {
    super(message);
    this.row = row;
    this.path = path;
  }
}

/** A row as it was sent: what is empty is left out, and a number that is none stays text. */
export interface RawRow {
  fields: Record<string, unknown>;
  errors: FieldError[];
}

/** Takes a file, gives its rows, `limit` at most. Throws CsvProblem. */
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
    names.forEach((column, place) => {
      const cell = cells[place] ?? "";
      if (column === "name" && isFormula(cell)) row.errors.push(formulaError);
      const value = readCell(column, disarmed.test(cell) ? cell.slice(1) : cell);
      if (value !== "") row.fields[column] = value;
    });
    return row;
  });
}

export const formulaError = {
  path: "/name",
  message: "Expected a name that no spreadsheet runs as a formula",
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

// More than 50 of the longest names come to; what is longer stays text, and is refused as such.
const maxVariationsCharacters = 20_000;

/** `Small:-50|Large:+80`; a bar within a name is `\|`, a backslash before one `\\`. */
const readVariations = (cell: string) =>
  cell.match(/(?:\\[\\|]|[^|])+/g)?.map((part) => {
    const [, name = part, change] = /^(.*):\s*([+-]?\d{1,9})\s*$/s.exec(part) ?? [];
    return { name: name.replace(/\\([\\|])/g, "$1"), price_change_cents: change && Number(change) };
  }) ?? cell;

const writeVariations = (variations: ExportRow["variations"]) =>
  variations
    .map(
      ({ name, price_change_cents: change }) =>
        `${name.replace(/[\\|]/g, "\\$&")}:${change > 0 ? "+" : ""}${change}`,
    )
    .join("|");

/** Takes products, gives a file that an import reads as the same. */
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
  const harmless = formula.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
