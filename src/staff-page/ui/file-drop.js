import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";

/**
 * Where a file is chosen, or dropped; its children are shown in it.
 * @param {{ label: string, accept: string, onFile: (file: File) => void, children?: import("preact").ComponentChildren, [attribute: string]: unknown }} props
 */
export function FileDrop({ label, accept, onFile, children, ...rest }) {
  const [over, setOver] = useState(false);
  useEffect(() => {
    // One that misses would be opened in the place of the page, with all that was typed.
    const ignore = (/** @type {Event} */ event) => event.preventDefault();
    addEventListener("dragover", ignore);
    addEventListener("drop", ignore);
    return () => {
      removeEventListener("dragover", ignore);
      removeEventListener("drop", ignore);
    };
  }, []);

  /** @param {DragEvent} event */
  function drop({ dataTransfer }) {
    setOver(false);
    const [file] = dataTransfer?.files ?? [];
    if (file) onFile(file);
  }
  /** @param {{ currentTarget: HTMLInputElement }} event */
  function choose({ currentTarget: input }) {
    const [file] = input.files ?? [];
    // Else the same file, mended meanwhile, could not be chosen again.
    input.value = "";
    if (file) onFile(file);
  }
  return html`
    <div
      class=${over ? "drop over" : "drop"}
      onDragOver=${() => setOver(true)}
      onDragLeave=${() => setOver(false)}
      onDrop=${drop}
    >
      ${children}
      <label class="button">
        ${label}
        <input type="file" class="unseen" accept=${accept} ...${rest} onChange=${choose} />
      </label>
    </div>
  `;
}
