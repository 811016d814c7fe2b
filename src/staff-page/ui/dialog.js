import { useId, useRef } from "preact/hooks";
import { Announcer } from "./announce.js";
import { confirm } from "./confirm.js";
import { html } from "./html.js";
import { useModal } from "./modal.js";

/**
 * A modal dialog. It asks before unsaved input is discarded.
 * @param {{ title: string, onClose: () => void, side?: boolean, children?: import("preact").ComponentChildren }} props
 *   `side`: at the edge, beside the content
 */
export function Dialog({ title, onClose, side = false, children }) {
  const dialog = useModal();
  const typed = useRef(false);
  const id = useId();
  async function leave() {
    const stays =
      typed.current && !(await confirm("Leave without saving?", "Your changes would be lost.", "Leave"));
    if (!stays) onClose();
  }
  return html`
    <dialog
      ref=${dialog}
      class=${side ? "dialog side" : "dialog"}
      aria-labelledby=${id}
      onCancel=${(/** @type {Event} */ event) => {
        if (event.target !== dialog.current) return;
        event.preventDefault();
        leave();
      }}
      onInput=${() => {
        typed.current = true;
      }}
    >
      <header class="dialog-head">
        <h2 id=${id}>${title}</h2>
        <button type="button" class="button plain" onClick=${leave}>Close</button>
      </header>
      ${children}
      <${Announcer} />
    </dialog>
  `;
}
