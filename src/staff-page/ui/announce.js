// What is said in passing: seen for a while at the edge of the page, and spoken by screen readers.
import { useLayoutEffect, useReducer } from "preact/hooks";
import { html } from "./html.js";

/** Long enough to be read twice. */
const shownMs = 7_000;

/** @typedef {{ id: number, text: string, kind: "said" | "warning" }} Toast */

let made = 0;
/** @type {Toast[]} */
let toasts = [];
let spoken = "";
/** @type {Set<() => void>} */
const announcers = new Set();

const changed = () => {
  for (const draw of announcers) draw();
};

/** @param {Omit<Toast, "id">} toast */
function show(toast) {
  const id = ++made;
  // Two at most: more would hide what they are about.
  toasts = [...toasts.slice(-1), { ...toast, id }];
  changed();
  setTimeout(() => {
    toasts = toasts.filter((other) => other.id !== id);
    changed();
  }, shownMs);
}

/** Says that something was done. @param {string} text */
export const toast = (text) => show({ text, kind: "said" });
/** Says that something went wrong which no field or card can say. @param {string} text */
export const toastError = (text) => show({ text, kind: "warning" });
/** For screen readers alone: what others see anyway. @param {string} text */
export const announce = (text) => {
  spoken = text;
  changed();
};

/** Where it is shown: in the page's shell, and in each window, for what is behind one is neither seen nor heard. */
export function Announcer() {
  const [, draw] = useReducer((count) => count + 1, 0);
  useLayoutEffect(() => {
    const mine = () => draw(undefined);
    announcers.add(mine);
    return () => void announcers.delete(mine);
  }, []);
  /** @param {Toast["kind"]} kind */
  const ofKind = (kind) =>
    toasts
      .filter((toast) => toast.kind === kind)
      .map(({ id, text }) => html`<p key=${id} class=${`toast ${kind}`}>${text}</p>`);
  return html`
    <div class="toasts">
      <div role="status">${ofKind("said")}</div>
      <div role="alert">${ofKind("warning")}</div>
    </div>
    <p class="unseen" role="status">${spoken}</p>
  `;
}
