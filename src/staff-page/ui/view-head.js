import { useEffect, useRef } from "preact/hooks";
import { html } from "./html.js";

/** Gives the focus to the view's heading if what had it is gone by now: at the page's beginning one would be lost. */
export function catchFocus() {
  requestAnimationFrame(() => {
    if (document.activeElement === document.body)
      document.querySelector("h1")?.focus({ preventScroll: true });
  });
}

/**
 * A view's heading, with what can be done in the whole view (its children) beside it. It takes the focus when the view
 * opens, so that a screen reader says where one has come to.
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
