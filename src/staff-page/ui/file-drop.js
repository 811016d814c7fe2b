import { useEffect, useState } from "preact/hooks";
import { html } from "./html.js";

/**
 * An area to choose or drop a file.
 * @param {{ label: string, accept: string, onFile: (file: File) => void, children?: import("preact").ComponentChildren, [attribute: string]: unknown }} props
 */
export function FileDrop({ label, accept, onFile, children, ...rest }) {
  const [over, setOver] = useState(false);
  useEffect(() => {
    // A file that misses the area would replace the page.
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
    // Allows the same file to be chosen again.
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
