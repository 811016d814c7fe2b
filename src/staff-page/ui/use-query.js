// What a view reads of the API beside lists: asked for again when it may have changed, and shown meanwhile.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem } from "../api.js";
import { Button } from "./button.js";
import { html } from "./html.js";

/**
 * @template Value
 * @typedef {object} Reading
 * @property {Value | undefined} value undefined until it is there; then the last one that could be had
 * @property {ApiProblem | undefined} problem why the last try failed
 * @property {() => Promise<void>} reload
 */

/**
 * What `read` gives; read anew when `key` changes, and nothing of another key is shown.
 * @template Value
 * @param {string} key
 * @param {() => Promise<Value>} read
 * @returns {Reading<Value>}
 */
export function useQuery(key, read) {
  const [reading, setReading] = useState(
    /** @type {{ key: string, value?: Value | undefined, problem?: ApiProblem }} */ ({ key }),
  );
  const [asked, shown] = [useRef(0), useRef(0)];

  async function reload() {
    const nth = ++asked.current;
    /** @type {{ value: Value } | { problem: ApiProblem }} */
    let answer;
    try {
      answer = { value: await read() };
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      answer = { problem: error };
    }
    // Else an older answer that comes late would stand in the place of a newer one.
    if (nth < shown.current) return;
    shown.current = nth;
    setReading((before) => ({ key, value: before.key === key ? before.value : undefined, ...answer }));
  }
  useEffect(() => {
    void reload();
  }, [key]);

  const current = reading.key === key ? reading : undefined;
  return { value: current?.value, problem: current?.problem, reload };
}

/**
 * What stands where a reading would: that it is coming, or why it could not be had.
 * @param {{ reading: Reading<any> }} props
 */
export function QueryState({ reading: { value, problem, reload } }) {
  if (problem)
    return html`
      <div class="problem" role="alert">
        <p>${problem.message}</p>
        <${Button} onPress=${reload}>Try again<//>
      </div>
    `;
  return value === undefined ? html`<p class="quiet">Reading…</p>` : null;
}
