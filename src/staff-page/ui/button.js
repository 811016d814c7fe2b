import { useState } from "preact/hooks";
import { html } from "./html.js";

/**
 * A button that is busy until its action ends. It stays focusable.
 * @param {{ onPress: () => unknown, busy?: boolean, class?: string, children?: import("preact").ComponentChildren, [attribute: string]: unknown }} props
 */
export function Button({ onPress, busy = false, class: kind = "", children, ...rest }) {
  const [working, setWorking] = useState(false);
  const locked = busy || working;
  async function press() {
    if (locked) return;
    setWorking(true);
    try {
      await onPress();
    } finally {
      setWorking(false);
    }
  }
  return html`
    <button type="button" ...${rest} class=${`button ${kind}`} aria-busy=${locked} aria-disabled=${locked} onClick=${press}>
      ${children}
    </button>
  `;
}
