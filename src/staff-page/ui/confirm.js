// A question before something that can't be taken back.
import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";
import { useModal } from "./modal.js";

/** @typedef {{ title: string, text: string, yes: string, answer: (yes: boolean) => void }} Question */

/** @type {(question: Question) => void} */
let put = ({ answer }) => answer(false);

/**
 * Whether the person wants it. `yes` names what would be done: "Delete", never "OK".
 * @param {string} title
 * @param {string} text
 * @param {string} yes
 * @returns {Promise<boolean>}
 */
export const confirm = (title, text, yes) => new Promise((answer) => put({ title, text, yes, answer }));

/** Where it is asked: once, in the page's shell. */
export function ConfirmHost() {
  const [question, setQuestion] = useState(/** @type {Question | undefined} */ (undefined));
  useEffect(() => {
    put = (next) => setQuestion(next);
  }, []);
  if (!question) return null;
  return html`<${ConfirmDialog} ...${question} onDone=${() => setQuestion(undefined)} />`;
}

/** @param {Question & { onDone: () => void }} props */
function ConfirmDialog({ title, text, yes, answer, onDone }) {
  const dialog = useModal();
  /** @param {boolean} wanted */
  function end(wanted) {
    onDone();
    answer(wanted);
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
