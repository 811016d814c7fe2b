// A list within a form. Rows are added, moved and removed, also by keyboard.
import { useLayoutEffect, useRef } from "preact/hooks";
import { announce } from "./announce.js";
import { html } from "./html.js";

let made = 0;
/** Returns a key for a new row. */
export const newKey = () => `new-${++made}`;

/**
 * @template {{ key: string, name: string }} Row
 * @param {object} props
 * @param {string} props.what one row: "variation"
 * @param {Row[]} props.rows
 * @param {(rows: Row[]) => void} props.onRows
 * @param {() => Row} props.blank
 * @param {number} props.max as many as the service takes
 * @param {(row: Row, change: (part: Partial<Row>) => void) => import("preact").ComponentChildren} props.children the
 *   fields of a row
 */
export function Rows({ what, rows, onRows, blank, max, children }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const focusNext = useRef(/** @type {string | undefined} */ (undefined));
  useLayoutEffect(() => {
    if (!focusNext.current) return;
    /** @type {HTMLElement | null | undefined} */ (list.current?.querySelector(focusNext.current))?.focus();
    focusNext.current = undefined;
  });

  /** @param {Row} row */
  const called = ({ name }) => name.trim() || `the ${what} without a name`;

  function add() {
    const row = blank();
    focusNext.current = `[data-row="${row.key}"] input`;
    onRows([...rows, row]);
  }
  /** @param {number} from @param {number} to */
  function move(from, to) {
    const row = /** @type {Row} */ (rows[from]);
    if (to < 0 || to >= rows.length) return;
    // Not every browser keeps the focus of a moved element.
    focusNext.current = `[data-row="${row.key}"] > .row-tools [data-to=${to < from ? "up" : "down"}]`;
    onRows(rows.toSpliced(from, 1).toSpliced(to, 0, row));
    announce(`${called(row)} is number ${to + 1} of ${rows.length} now`);
  }
  /** @param {number} at */
  function remove(at) {
    const left = rows.toSpliced(at, 1);
    const next = left[Math.min(at, left.length - 1)];
    // The row, because a second press on its button would remove it, too.
    focusNext.current = next ? `[data-row="${next.key}"]` : ":scope > .add";
    onRows(left);
    announce(`${called(/** @type {Row} */ (rows[at]))} is removed`);
  }

  return html`
    <div class="rows" ref=${list}>
      ${rows.map((row, at) => {
        const name = called(row);
        const change = (/** @type {Partial<Row>} */ part) => onRows(rows.with(at, { ...row, ...part }));
        return html`
          <div key=${row.key} class="row" role="group" aria-label=${`${what} ${at + 1}`} data-row=${row.key} tabindex="-1">
            ${children(row, change)}
            <div class="row-tools">
              <button type="button" class="button plain row-tool" data-to="up" aria-label=${`Move ${name} up`} aria-disabled=${at === 0} onClick=${() => move(at, at - 1)}>↑</button>
              <button type="button" class="button plain row-tool" data-to="down" aria-label=${`Move ${name} down`} aria-disabled=${at === rows.length - 1} onClick=${() => move(at, at + 1)}>↓</button>
              <button type="button" class="button plain row-tool" aria-label=${`Remove ${name}`} onClick=${() => remove(at)}>✕</button>
            </div>
          </div>
        `;
      })}
      ${rows.length < max && html`<button type="button" class="button small add" onClick=${add}>Add ${what}</button>`}
    </div>
  `;
}
