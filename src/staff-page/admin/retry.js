// Sending something again, and seeing what becomes of it.
import { useEffect, useState } from "preact/hooks";
import { ApiProblem, call, get } from "../api.js";
import { toast, toastError } from "../ui/announce.js";
import { Button } from "../ui/button.js";
import { html } from "../ui/html.js";
import { catchFocus } from "../ui/view-head.js";

/** Between looks at what became of it. */
const lookMs = 1_000;
/** A provider takes seconds; after these a person has looked away, and the row still tells. */
const looks = 20;

/** What has a status that a retry begins anew. @typedef {{ id: string, status: string }} Row */

/**
 * A row that can be sent again: as it is now, and the button that does it.
 * @template {Row} R
 * @param {object} what
 * @param {R} what.row as the list has it
 * @param {string} what.path POST sends it again
 * @param {string} what.list where it is found again, among those of its order
 * @param {string} what.name what is sent, such as "The refund of $4.50"
 * @param {Record<string, string>} what.ends how a status that is reached is said, such as "has gone through"
 * @param {(() => unknown) | undefined} what.onEnd
 * @returns {{ row: R, button: import("preact").VNode }}
 */
export function useRetry({ row, path, list, name, ends, onEnd }) {
  const [current, setCurrent] = useState(row);
  const [refusal, setRefusal] = useState("");
  useEffect(() => setCurrent(row), [row]);

  async function retry() {
    setRefusal("");
    try {
      /** @type {R} */
      let now = await call("POST", path);
      setCurrent(now);
      for (let nth = 0; nth < looks && now.status === "pending"; nth++) {
        await new Promise((resolve) => setTimeout(resolve, lookMs));
        const { items } = await get(list, { limit: 100 });
        now = items.find((/** @type {R} */ { id }) => id === now.id) ?? now;
        setCurrent(now);
      }
      const end = ends[now.status];
      if (end) toast(`${name} ${end}`);
      else
        toastError(
          now.status === "pending"
            ? `${name} is not through yet; it is tried again by itself.`
            : `${name} has failed again.`,
        );
      await onEnd?.();
      catchFocus();
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      setRefusal(error.message);
    }
  }

  const button = html`
    <${Button} class="small" onPress=${retry}>Try again<span class="unseen">: ${name}</span><//>
    ${refusal && html`<p class="error" role="alert">${refusal}</p>`}
  `;
  return { row: current, button };
}
