// Rows of a list that are edited in a dialog and deleted.
import { useState } from "preact/hooks";
import { ApiProblem, call } from "../api.js";
import { toast, toastError } from "../ui/announce.js";
import { Button } from "../ui/button.js";
import { confirm } from "../ui/confirm.js";
import { html } from "../ui/html.js";

/**
 * The props of a dialog: the row (undefined: a new one), the close handler, and the save function. Only fields that
 * differ from `began` are sent, so that another manager's changes stay.
 * @template Row
 * @typedef {{ row: Row | undefined, onClose: () => void, onSave: (body: Body, began: Body) => Promise<void> }} WindowProps
 */
/** @typedef {Record<string, unknown>} Body */

/**
 * @template {{ id: string }} Row
 * @param {object} what
 * @param {import("../ui/use-paginated-query.js").Pages<Row>} what.pages
 * @param {string} what.path POST makes a row; PATCH and DELETE are below it
 * @param {(row: Row) => string} what.nameOf
 * @param {string} what.loss what deleting one means
 * @param {import("preact").ComponentType<WindowProps<Row>>} what.Window
 * @returns {{ add: () => void, actions: (row: Row) => import("preact").VNode, opened: import("preact").VNode | undefined }}
 *   `actions`: a row's buttons; `opened`: the window, when there is one
 */
export function useRowEditing({ pages, path, nameOf, loss, Window }) {
  const [editing, setEditing] = useState(/** @type {Row | "new" | undefined} */ (undefined));
  const row = editing === "new" ? undefined : editing;

  /** @param {Body} body @param {Body} began */
  async function save(body, began) {
    let saved = row;
    if (!row) saved = await call("POST", path, { body });
    else {
      const touched = Object.entries(body).filter(([field, value]) => value !== began[field]);
      if (touched.length > 0)
        saved = await call("PATCH", `${path}/${row.id}`, { body: Object.fromEntries(touched) });
    }
    setEditing(undefined);
    toast(`${nameOf(/** @type {Row} */ (saved))} is saved`);
    await pages.reload();
  }

  /** @param {Row} row */
  async function remove(row) {
    const name = nameOf(row);
    if (!(await confirm(`Delete ${name}?`, loss, "Delete"))) return;
    try {
      await call("DELETE", `${path}/${row.id}`);
      toast(`${name} is deleted`);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      if (error.code !== "not_found") return toastError(`${name} was not changed. ${error.message}`);
      toast(`Another user has already deleted ${name}`);
    }
    await pages.reload();
  }

  return {
    add: () => setEditing("new"),
    actions: (row) => html`
      <button type="button" class="button" onClick=${() => setEditing(row)}>
        Edit<span class="unseen"> ${nameOf(row)}</span>
      </button>
      <${Button} class="plain" onPress=${() => remove(row)}>
        Delete<span class="unseen"> ${nameOf(row)}</span>
      <//>
    `,
    opened: editing && html`<${Window} row=${row} onClose=${() => setEditing(undefined)} onSave=${save} />`,
  };
}
