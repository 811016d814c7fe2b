/**
 * Parses a CSV file for a preview; the service validates it. Quoted cells may contain commas, quotes and line breaks.
 * Omits empty lines. An unclosed quote extends to the end.
 * @param {string} text
 * @returns {string[][]}
 */
export function splitCsv(text) {
  /** @type {string[][]} */
  const lines = [];
  /** @type {string[]} */
  let line = [];
  // A cell and its separator. A quote opens a cell only at its beginning.
  const cell = /(?:"((?:[^"]|"")*)(?:"|$))?([^,\r\n]*)(,|\r\n|\n|\r|$)/gy;
  const body = text.replace(/^\uFEFF/, "");
  while (cell.lastIndex < body.length) {
    const match = cell.exec(body);
    if (!match) break;
    const [whole, quoted, plain, end] = match;
    line.push(quoted === undefined ? /** @type {string} */ (plain) : quoted.replaceAll('""', '"') + plain);
    if (end === "," && cell.lastIndex === body.length) line.push("");
    if (end === "," && cell.lastIndex < body.length) continue;
    if (line.length > 1 || whole.length > String(end).length) lines.push(line);
    line = [];
  }
  return lines;
}
