/**
 * Takes a CSV file, gives its lines as cells, to be shown: quoted cells may hold commas, quotes and line breaks. Empty
 * lines are left out, and a quote that is never closed reaches to the end. What the file means is for the service.
 * @param {string} text
 * @returns {string[][]}
 */
export function splitCsv(text) {
  /** @type {string[][]} */
  const lines = [];
  /** @type {string[]} */
  let line = [];
  // A cell and what ends it. At the beginning of a cell only, a quote opens it.
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
