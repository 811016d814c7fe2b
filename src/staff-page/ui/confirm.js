// A confirmation before an action that can't be undone.
import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";
import { useModal } from "./modal.js";

/** @typedef {{ title: string, text: string, yes: string, resolve: (yes: boolean) => void }} Question */

/** @type {(question: Question) => void} */
let show = ({ resolve }) => resolve(false);

/**
 * Returns whether the user confirms. `yes` names the action: "Delete", never "OK".
 * @param {string} title
 * @param {string} text
 * @param {string} yes
 * @returns {Promise<boolean>}
 */
export const confirm = (title, text, yes) => new Promise((resolve) => show({ title, text, yes, resolve }));

/** Renders the dialog; once, in the shell. */
export function ConfirmHost() {
  const [question, setQuestion] = useState(/** @type {Question | undefined} */ (undefined));
  useEffect(() => {
    show = (next) => setQuestion(next);
  }, []);
  if (!question) return null;
  return html`<${ConfirmDialog} ...${question} onDone=${() => setQuestion(undefined)} />`;
}

/** @param {Question & { onDone: () => void }} props */
function ConfirmDialog({ title, text, yes, resolve, onDone }) {
  const dialog = useModal();
  /** @param {boolean} confirmed */
  function end(confirmed) {
    onDone();
    resolve(confirmed);
  }
  return html`
    <dialog
      ref=${dialog}
      class="dialog confirm"
      role="alertdialog"
      aria-labelledby="confirm-title"
      aria-describedby="confirm-text"
      onCancel=${(/** @type {Event} */ event) => {
        event.preventDefault();
        end(false);
      }}
    >
      <h2 id="confirm-title">${title}</h2>
      <p id="confirm-text">${text}</p>
      <footer class="actions">
        <button type="button" class="button" autofocus onClick=${() => end(false)}>Go back</button>
        <button type="button" class="button danger" onClick=${() => end(true)}>${yes}</button>
      </footer>
    </dialog>
  `;
}
