// Toasts, and announcements for screen readers.
import { useLayoutEffect, useReducer } from "preact/hooks";
import { html } from "./html.js";

const shownMs = 7_000;

/** @typedef {{ id: number, text: string, kind: "info" | "error" }} Toast */

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
  // At most two, so that they hide little.
  toasts = [...toasts.slice(-1), { ...toast, id }];
  changed();
  setTimeout(() => {
    toasts = toasts.filter((other) => other.id !== id);
    changed();
  }, shownMs);
}

/** Shows a success. @param {string} text */
export const toast = (text) => show({ text, kind: "info" });
/** Shows an error that belongs to no field or card. @param {string} text */
export const toastError = (text) => show({ text, kind: "error" });
/** Announces a visible change to screen readers. @param {string} text */
export const announce = (text) => {
  spoken = text;
  changed();
};

/** Renders toasts and announcements: in the shell and in each modal dialog, which hides the shell. */
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
      <div role="status">${ofKind("info")}</div>
      <div role="alert">${ofKind("error")}</div>
    </div>
    <p class="unseen" role="status">${spoken}</p>
  `;
}
