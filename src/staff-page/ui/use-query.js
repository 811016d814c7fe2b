// Reads of the API other than lists.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem } from "../api.js";
import { Button } from "./button.js";
import { html } from "./html.js";

/**
 * @template Value
 * @typedef {object} QueryResult
 * @property {Value | undefined} value undefined before the first success; then the last value
 * @property {ApiProblem | undefined} problem the error of the last read
 * @property {() => Promise<void>} reload
 */

/**
 * Returns the result of `read`; reads again when `key` changes, and shows no value of another key.
 * @template Value
 * @param {string} key
 * @param {() => Promise<Value>} read
 * @returns {QueryResult<Value>}
 */
export function useQuery(key, read) {
  const [result, setResult] = useState(
    /** @type {{ key: string, value?: Value | undefined, problem?: ApiProblem }} */ ({ key }),
  );
  const [requested, shown] = [useRef(0), useRef(0)];

  async function reload() {
    const nth = ++requested.current;
    /** @type {{ value: Value } | { problem: ApiProblem }} */
    let outcome;
    try {
      outcome = { value: await read() };
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      outcome = { problem: error };
    }
    // Ignore an outdated response.
    if (nth < shown.current) return;
    shown.current = nth;
    setResult((before) => ({ key, value: before.key === key ? before.value : undefined, ...outcome }));
  }
  useEffect(() => {
    void reload();
  }, [key]);

  const current = result.key === key ? result : undefined;
  return { value: current?.value, problem: current?.problem, reload };
}

/**
 * Renders the loading and error states of a query.
 * @param {{ query: QueryResult<any> }} props
 */
export function QueryState({ query: { value, problem, reload } }) {
  if (problem)
    return html`
      <div class="problem" role="alert">
        <p>${problem.message}</p>
        <${Button} onPress=${reload}>Try again<//>
      </div>
    `;
  return value === undefined ? html`<p class="quiet">Loading…</p>` : null;
}
