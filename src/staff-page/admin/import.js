// Import and export of the catalog as CSV. A dry run precedes each import.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem, call, readBody, request } from "../api.js";
import { toast, toastError } from "../ui/announce.js";
import { Button } from "../ui/button.js";
import { FileDrop } from "../ui/file-drop.js";
import { inWords } from "../ui/form.js";
import { html } from "../ui/html.js";
import { ViewHead } from "../ui/view-head.js";
import { splitCsv } from "./csv.js";

/** @typedef {import("../../catalog/schemas.ts").ImportResult} ImportResult */
/** @typedef {import("../api.js").FieldError} FieldError */
/**
 * The file to import. Its bytes are kept, so that the import equals the dry run.
 * @typedef {{ name: string, body: Blob, lines: string[][] }} Source
 */
/** @typedef {{ result: ImportResult } | { problem: ApiProblem, again?: () => Promise<void> }} Outcome */

/** The API's limit, checked here because a browser may not see a rejection while it sends. */
const maxImportBytes = 2 * 1024 * 1024;

/** Rows in the preview. */
const rowsShown = 100;

export function View() {
  const [source, setSource] = useState(/** @type {Source | undefined} */ (undefined));
  const [outcome, setOutcome] = useState(/** @type {Outcome | undefined} */ (undefined));
  const [pasted, setPasted] = useState("");
  const [trying, setTrying] = useState("");
  const latest = useRef(/** @type {Source | undefined} */ (undefined));
  useEffect(
    () => () => {
      latest.current = undefined;
    },
    [],
  );

  /** @param {Source} next @param {boolean} dry */
  async function send(next, dry) {
    latest.current = next;
    /** @type {Outcome} */
    let nextOutcome;
    try {
      const query = { dry_run: dry };
      nextOutcome = { result: await call("POST", "/admin/products/import", { query, body: next.body }) };
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      nextOutcome = { problem: error, again: () => send(next, dry) };
    }
    if ("result" in nextOutcome && !dry) toast(`${next.name} is imported`);
    // The user may have chosen another file or view.
    if (latest.current !== next) {
      if ("problem" in nextOutcome && !dry) toastError(`${next.name}: ${nextOutcome.problem.message}`);
      return;
    }
    setSource(next);
    setOutcome(nextOutcome);
    setTrying("");
  }

  /** @param {File} file */
  async function choose(file) {
    latest.current = undefined;
    if (file.size > maxImportBytes) return refuse("body_too_large");
    setTrying(file.name);
    setOutcome(undefined);
    try {
      const bytes = await file.arrayBuffer();
      // The media type that spreadsheets give to CSV, or none: the service checks the content.
      const type = /csv|excel$|^text\/|^$/.test(file.type) ? "text/csv" : file.type;
      const lines = type === "text/csv" ? splitCsv(new TextDecoder().decode(bytes)) : [];
      await send({ name: file.name, body: new Blob([bytes], { type }), lines }, true);
    } catch (error) {
      // The file was deleted or changed since it was chosen.
      if (!(error instanceof DOMException)) throw error;
      refuse("unreadable");
    }
  }
  /** Before it is sent. @param {"body_too_large" | "unreadable"} code */
  function refuse(code) {
    latest.current = undefined;
    setTrying("");
    setSource(undefined);
    setOutcome({ problem: new ApiProblem({ status: 0, code, detail: "The file can't be read." }) });
  }
  async function check() {
    const body = new Blob([pasted], { type: "text/csv" });
    if (body.size > maxImportBytes) return refuse("body_too_large");
    await send({ name: "What you pasted", body, lines: splitCsv(pasted) }, true);
  }

  async function download() {
    try {
      const response = await request("GET", "/admin/products/export");
      const url = URL.createObjectURL(await readBody(response.blob()));
      const link = Object.assign(document.createElement("a"), { href: url, download: "products.csv" });
      link.click();
      // Later, because a browser may not have read it yet.
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      // A toast, so that the result of a dry run stays visible.
      toastError(`The products could not be downloaded. ${error.message}`);
    }
  }

  return html`
    <${ViewHead} title="Import">
      <div class="tools"><${Button} onPress=${download}>Download all products<//></div>
    <//>
    <section class="panel import" aria-label="The file">
      <${FileDrop} label="Choose a CSV file" accept=".csv,text/csv" onFile=${choose}>
        <p>Products from a spreadsheet, saved as CSV, one in a row: a name that is known is changed, another one is new. What is left empty stays as it is. Drop the file here, or</p>
      <//>
      <details>
        <summary>Paste it instead</summary>
        <textarea aria-label="CSV" rows="6" spellcheck="false" placeholder="name,category,description,base_price_cents,image_url,variations" value=${pasted} onInput=${(/** @type {{ currentTarget: HTMLTextAreaElement }} */ { currentTarget }) => setPasted(currentTarget.value)}></textarea>
        <p class="actions"><${Button} onPress=${check}>Try it<//></p>
      </details>
    </section>
    <div class="import-outcome" role="status">
      ${trying && html`<p class="quiet">Trying ${trying}…</p>`}
      ${outcome && html`<${Summary} outcome=${outcome} source=${source} onImport=${() => source && send(source, false)} />`}
    </div>
    ${source && outcome && source.lines.length > 0 && html`<${Preview} key=${source} lines=${source.lines} errors=${"problem" in outcome ? outcome.problem.errors : []} />`}
  `;
}

/** @param {{ outcome: Outcome, source: Source | undefined, onImport: () => Promise<void> | undefined }} props */
function Summary({ outcome, source, onImport }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => box.current?.focus(), [outcome]);
  if ("problem" in outcome) {
    const { problem, again } = outcome;
    const { code, message, errors } = problem;
    const rows = new Set(errors.map(({ row }) => row).filter(Boolean)).size;
    const refused = rows === 0 ? "The file is" : rows === 1 ? "One row is" : `${rows} rows are`;
    return html`
      <div ref=${box} class="problem" tabindex="-1">
        <p>${code === "import_failed" ? `${refused} refused; nothing is imported.` : (fileProblems[code] ?? message)}</p>
        ${code === "import_failed" && html`<p>Mend the file and choose it again.</p>`}
        ${errors.filter(({ row }) => !row && code === "import_failed").map(({ message }) => html`<p>${message}</p>`)}
        ${again && (code === "unreachable" || code === "unavailable") && html`<${Button} onPress=${again}>Try again<//>`}
      </div>
    `;
  }
  const { dry_run, rows, created, updated } = outcome.result;
  return html`
    <div ref=${box} class="panel import-result" tabindex="-1">
      <h2>${dry_run ? `${source?.name} can be imported` : `${source?.name} is imported`}</h2>
      <dl class="figures">
        <div><dt>Rows</dt><dd>${rows}</dd></div>
        <div><dt>New products</dt><dd>${created}</dd></div>
        <div><dt>Changed</dt><dd>${updated}</dd></div>
      </dl>
      ${dry_run ? html`<p>Nothing has been changed yet.</p><${Button} class="primary" onPress=${onImport}>Import ${rows === 1 ? "the row" : `${rows} rows`}<//>` : html`<p><a class="button" href="#/products">Look at the products</a></p>`}
    </div>
  `;
}

/** @type {Record<string, string>} */
const fileProblems = {
  body_too_large: "The file is too large: 2 MB at most. Import it in parts.",
  unsupported_media_type: "This is no CSV file. In a spreadsheet, choose “Save as”, then CSV.",
  name_taken: "Another user has just created a product of this name. Please try again.",
};

/** @param {{ lines: string[][], errors: FieldError[] }} props */
function Preview({ lines: [header = [], ...rows], errors }) {
  const [shown, setShown] = useState(rowsShown);
  const refused = Map.groupBy(errors, ({ row = 0 }) => row);
  // Errors of the whole file are shown above.
  refused.delete(0);
  const [onlyRefused, setOnlyRefused] = useState(refused.size > 0);
  const numbered = rows.map((cells, at) => ({ number: at + 1, cells }));
  const wanted = onlyRefused ? numbered.filter(({ number }) => refused.has(number)) : numbered;
  const names = header.map((name) => name.trim());

  return html`
    ${refused.size > 0 && html`<label class="check"><input type="checkbox" checked=${onlyRefused} onChange=${() => setOnlyRefused(!onlyRefused)} /> Only the rows that are refused</label>`}
    <div class="table-frame import-rows" role="region" aria-label="Rows of the file" tabindex="0">
      <table>
        <thead>
          <tr><th class="number">Row</th>${names.map((name) => html`<th>${name}</th>`)}</tr>
        </thead>
        <tbody>
          ${wanted.slice(0, shown).map(({ number, cells }) => {
            const found = refused.get(number) ?? [];
            return html`
              <tr key=${number} class=${found.length > 0 ? "refused" : ""}>
                <th scope="row" class="number">${number}</th>
                ${names.map((name, at) => {
                  // Errors of a whole row are shown in its first cell.
                  const here = found.filter(
                    ({ path }) => Math.max(0, names.indexOf(path.split("/")[1] ?? "")) === at,
                  );
                  return html`<td data-label=${name}>${cells[at]}${here.map((error) => html`<p class="error">${cellInWords(error)}</p>`)}</td>`;
                })}
              </tr>
            `;
          })}
        </tbody>
      </table>
    </div>
    ${wanted.length > shown && html`<p class="more"><button type="button" class="button" onClick=${() => setShown(shown + rowsShown)}>Show more of ${wanted.length}</button></p>`}
  `;
}

/** @param {FieldError} error */
function cellInWords({ path, message }) {
  const [, column, nth] = path.split("/");
  const text = /^Expected integer$/.test(message)
    ? "Please write it in cents, such as 450"
    : inWords(message, path);
  return column === "variations" && nth ? `Variation ${Number(nth) + 1}: ${text}` : text;
}
