// Retries a refund or notification and waits for its result.
import { useEffect, useState } from "preact/hooks";
import { ApiProblem, call, get } from "../api.js";
import { toast, toastError } from "../ui/announce.js";
import { Button } from "../ui/button.js";
import { html } from "../ui/html.js";
import { catchFocus } from "../ui/view-head.js";

/** Interval of reads. */
const pollMs = 1_000;
/** Reads after a retry; a provider takes seconds. */
const polls = 20;

/** A row whose status a retry resets. @typedef {{ id: string, status: string }} Row */

/**
 * Returns a row with its current status, and the button that retries it.
 * @template {Row} R
 * @param {object} options
 * @param {R} options.row from the list
 * @param {string} options.path retried by POST
 * @param {string} options.list the list of its order
 * @param {string} options.name a label, such as "The refund of $4.50"
 * @param {Record<string, string>} options.ends a label for each final status, such as "succeeded"
 * @param {(() => unknown) | undefined} options.onEnd
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
      for (let nth = 0; nth < polls && now.status === "pending"; nth++) {
        await new Promise((resolve) => setTimeout(resolve, pollMs));
        const { items } = await get(list, { limit: 100 });
        now = items.find((/** @type {R} */ { id }) => id === now.id) ?? now;
        setCurrent(now);
      }
      const end = ends[now.status];
      if (end) toast(`${name} ${end}`);
      else
        toastError(
          now.status === "pending"
            ? `${name} is still pending; the service retries it.`
            : `${name} failed again.`,
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
