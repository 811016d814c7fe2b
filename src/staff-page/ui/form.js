// Forms keep their input until the service accepts it. Errors are shown beside their fields.
import { createContext } from "preact";
import { useContext, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiProblem } from "../api.js";
import { html } from "./html.js";
import { formatMoney } from "./money.js";

/** @typedef {import("preact").ComponentChildren} Children */
/**
 * @typedef {object} FormState
 * @property {ApiProblem | undefined} problem
 * @property {boolean} busy
 * @property {Set<Claim>} claims the fields that show errors by themselves
 */
/** @typedef {{ path: string, codes: string[] }} Claim */

const FormContext = createContext(
  /** @type {FormState} */ ({ problem: undefined, busy: false, claims: new Set() }),
);

/**
 * Calls `onSave` on submit. Shows each error of a thrown ApiProblem at the field of its path, the rest above the
 * buttons.
 * @param {{ onSave: () => Promise<unknown>, children?: Children }} props
 */
export function Form({ onSave, children }) {
  const [problem, setProblem] = useState(/** @type {ApiProblem | undefined} */ (undefined));
  const [busy, setBusy] = useState(false);
  const claims = useRef(/** @type {Set<Claim>} */ (new Set())).current;
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    try {
      await onSave();
      setProblem(undefined);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      setProblem(error);
    } finally {
      setBusy(false);
    }
  }
  // Not in a layout effect: the fields render the problem later.
  useEffect(() => {
    /** @type {HTMLElement | null | undefined} */ (
      form.current?.querySelector("[aria-invalid=true], [role=alert]")
    )?.focus();
  }, [problem]);

  return html`
    <${FormContext.Provider} value=${{ problem, busy, claims }}>
      <form ref=${form} class="form" novalidate onSubmit=${submit}>${children}</form>
    <//>
  `;
}

/**
 * The buttons of a form, and above them the errors without a field.
 * @param {{ save?: string, children?: Children }} props `children`: buttons beside the one that saves
 */
export function FormActions({ save = "Save", children }) {
  const { problem, busy, claims } = useContext(FormContext);
  return html`
    ${problem && html`<${Unclaimed} problem=${problem} claims=${claims} />`}
    <footer class="actions">
      ${children}
      <button class="button primary" aria-busy=${busy} aria-disabled=${busy}>${save}</button>
    </footer>
  `;
}

/** @param {{ problem: ApiProblem, claims: Set<Claim> }} props */
function Unclaimed({ problem, claims }) {
  // Computed once: errors of a field that was removed since are not shown again.
  const left = useMemo(
    () => problem.errors.filter(({ path }) => ![...claims].some((claim) => claim.path === path)),
    [problem],
  );
  const told = problem.errors.length > 0 || [...claims].some(({ codes }) => codes.includes(problem.code));
  if (told && left.length === 0) return null;
  return html`
    <div class="problem" role="alert" tabindex="-1">
      ${left.length === 0 ? html`<p>${problem.message}</p>` : left.map((error) => html`<p>${error.path} ${inWords(error.message)}</p>`)}
      ${problem.code === "unreachable" && html`<p>Your input is kept.</p>`}
    </div>
  `;
}

/**
 * A control's label, hint and error.
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.path JSON pointer of the field in the request's body, such as `/name`
 * @param {string[]} [props.codes] codes of refusals that are about this field, such as `name_taken`
 * @param {string} [props.hint]
 * @param {(attributes: { id: string, "aria-invalid"?: "true", "aria-describedby"?: string }) => Children} props.control
 */
export function Field({ label, path, codes = [], hint, control }) {
  const id = useId();
  const messages = useMessages(path, codes);
  const wrong = messages.length > 0;
  const notes = [...(hint ? [`${id}-hint`] : []), ...(wrong ? [`${id}-error`] : [])].join(" ");
  return html`
    <div class=${wrong ? "field wrong" : "field"}>
      <label for=${id}>${label}</label>
      ${control({ id, ...(wrong && { "aria-invalid": "true" }), ...(notes && { "aria-describedby": notes }) })}
      ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
      ${wrong && html`<p class="error" id=${`${id}-error`}>${messages.join(". ")}</p>`}
    </div>
  `;
}

/**
 * Returns the error of this path, or with one of these codes; it is then not shown above the buttons.
 * @param {string} path
 * @param {string[]} codes
 * @returns {string[]}
 */
function useMessages(path, codes) {
  const { problem, claims } = useContext(FormContext);
  const codesKey = codes.join();
  useLayoutEffect(() => {
    const claim = { path, codes: codesKey ? codesKey.split(",") : [] };
    claims.add(claim);
    return () => void claims.delete(claim);
  }, [claims, path, codesKey]);
  return [
    ...(problem?.errors ?? [])
      .filter((error) => error.path === path)
      .map(({ message }) => inWords(message, path)),
    ...(problem && codes.includes(problem.code) ? [problem.message] : []),
  ];
}

/** What the service says of something that is no field, such as a list. @param {{ path: string }} props */
export function PathError({ path }) {
  const messages = useMessages(path, []);
  return messages.length > 0 && html`<p class="error" role="alert" tabindex="-1">${messages.join(". ")}</p>`;
}

/**
 * A line of text; passes other attributes to the `<input>`.
 * @param {{ label: string, path: string, codes?: string[], hint?: string, value: string, onValue: (value: string) => void, [attribute: string]: unknown }} props
 */
export function TextField({ label, path, codes, hint, value, onValue, ...rest }) {
  return html`<${Field}
    ...${{ label, path, codes, hint }}
    control=${(/** @type {object} */ attributes) =>
      html`<input type="text" ...${rest} ...${attributes} value=${value} onInput=${valueTo(onValue)} />`}
  />`;
}

/**
 * An amount. The owner keeps the text and sends `parseMoney(text) ?? text`, so that the service rejects an invalid one.
 * @param {{ label: string, path: string, codes?: string[], hint?: string, value: string, onValue: (value: string) => void }} props
 */
export function MoneyField(props) {
  return html`<${TextField} inputmode="decimal" autocomplete="off" class="money" ...${props} />`;
}

/**
 * Several lines of text.
 * @param {{ label: string, path: string, codes?: string[], hint?: string, value: string, onValue: (value: string) => void, rows?: number }} props
 */
export function TextArea({ label, path, codes, hint, value, onValue, rows = 3 }) {
  return html`<${Field}
    ...${{ label, path, codes, hint }}
    control=${(/** @type {object} */ attributes) =>
      html`<textarea rows=${rows} ...${attributes} value=${value} onInput=${valueTo(onValue)}></textarea>`}
  />`;
}

/**
 * One of several.
 * @param {{ label: string, path: string, codes?: string[], hint?: string, value: string, onValue: (value: string) => void, options: { value: string, label: string }[] }} props
 */
export function SelectField({ label, path, codes, hint, value, onValue, options }) {
  return html`<${Field}
    ...${{ label, path, codes, hint }}
    control=${(/** @type {object} */ attributes) => html`
      <select ...${attributes} value=${value} onChange=${valueTo(onValue)}>
        ${options.map((option) => html`<option value=${option.value}>${option.label}</option>`)}
      </select>
    `}
  />`;
}

/** @param {(value: string) => void} onValue */
const valueTo =
  (onValue) =>
  (/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget }) =>
    onValue(currentTarget.value);

/**
 * Parses an integer. Returns other text as it is, so that the service rejects it.
 * @param {string} text
 */
export const wholeNumber = (text) => (/^[+-]?\d{1,15}$/.test(text.trim()) ? Number(text) : text);

/** @type {[RegExp, string][]} */
const messages = [
  [/length greater or equal to 1$|isn't blank$/, "Please fill this in"],
  [/length greater or equal to (\d+)/, "At least $1 characters"],
  [/length less or equal to (\d+)/, "At most $1 characters"],
  [/^Expected required property$/, "Please fill this in"],
  [/^Expected integer to be greater or equal to (-?\d+)/, "At least $1"],
  [/^Expected integer to be less or equal to (-?\d+)/, "At most $1"],
  [/^Expected (?:integer|number)/, "Please enter a number"],
  [/^Expected array length to be greater or equal to (\d+)/, "At least $1 is needed"],
  [/^Expected array length to be less or equal to (\d+)/, "At most $1"],
  [/^Expected string to match 'date-time'/, "Please choose a date and time"],
  [/^Expected string to match '\^\(https/, "Please enter a URL, such as https://example.com/latte"],
  [/^Expected string to match/, "This format is not valid"],
  [/^Expected each name once in its list/, "This name is used twice"],
  [/^Expected at most max_select/, "At most the maximum"],
  [/^Expected at most the number of options/, "At most the number of options"],
  [/^Expected a time after starts_at/, "It must end after it starts"],
  [/^One combination would cost (-\d+) cents/, "One combination would cost $1"],
  [/^Expected a name that no spreadsheet runs/, "A name can't begin with =, +, - or @"],
  [/^names no category/, "This category no longer exists"],
];

/**
 * Rephrases an error of a field for people. Returns unknown errors as they are.
 * @param {string} message
 * @param {string} [path] of the field: what is in cents is told as money
 */
export function inWords(message, path = "") {
  const plain = message.replace(/, or null$/, "");
  for (const [pattern, text] of messages) {
    const match = pattern.exec(plain);
    const figure = match?.[1] ?? "";
    if (match)
      return text.replace("$1", () =>
        figure && path.endsWith("_cents") ? formatMoney(Number(figure)) : figure,
      );
  }
  return plain;
}
