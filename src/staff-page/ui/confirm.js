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
export const ask = (title, text, yes) => new Promise((answer) => put({ title, text, yes, answer }));

/** Where it is asked: once, in the page's shell. */
export function Asker() {
  const [question, setQuestion] = useState(/** @type {Question | undefined} */ (undefined));
  useEffect(() => {
    put = (next) => setQuestion(next);
  }, []);
  if (!question) return null;
  return html`<${Ask} ...${question} onDone=${() => setQuestion(undefined)} />`;
}

/** @param {Question & { onDone: () => void }} props */
function Ask({ title, text, yes, answer, onDone }) {
  const dialog = useModal();
  /** @param {boolean} wanted */
  function end(wanted) {
    onDone();
    answer(wanted);
  }
  return html`
    <dialog
      ref=${dialog}
      class="dialog ask"
      role="alertdialog"
      aria-labelledby="ask-title"
      aria-describedby="ask-text"
      onCancel=${(/** @type {Event} */ event) => {
        event.preventDefault();
        end(false);
      }}
    >
      <h2 id="ask-title">${title}</h2>
      <p id="ask-text">${text}</p>
      <footer class="actions">
        <button type="button" class="button" autofocus onClick=${() => end(false)}>Go back</button>
        <button type="button" class="button danger" onClick=${() => end(true)}>${yes}</button>
      </footer>
    </dialog>
  `;
}
