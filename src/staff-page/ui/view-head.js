import { useEffect, useRef } from "preact/hooks";
import { html } from "./html.js";

/** Moves the focus to the view's heading if its element was removed. */
export function catchFocus() {
  requestAnimationFrame(() => {
    if (document.activeElement === document.body)
      document.querySelector("h1")?.focus({ preventScroll: true });
  });
}

/**
 * A view's heading with its actions (children) beside it. Takes the focus when the view opens, for screen readers.
 * @param {{ title: string, children?: import("preact").ComponentChildren }} props
 */
export function ViewHead({ title, children }) {
  const heading = useRef(/** @type {HTMLHeadingElement | null} */ (null));
  useEffect(() => {
    document.title = `${title} · Ristretto`;
    heading.current?.focus({ preventScroll: true });
  }, [title]);
  return html`
    <header class="view-head">
      <h1 ref=${heading} tabindex="-1">${title}</h1>
      ${children}
    </header>
  `;
}
