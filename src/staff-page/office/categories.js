// The menu's categories, in its order.
import { useState } from "preact/hooks";
import { ApiProblem, call } from "../api.js";
import { say, warn } from "../ui/announce.js";
import { ask } from "../ui/ask.js";
import { Button } from "../ui/button.js";
import { Dialog } from "../ui/dialog.js";
import { Form, FormActions, TextArea, TextField, wholeNumber } from "../ui/form.js";
import { html } from "../ui/html.js";
import { PagedList, usePages } from "../ui/pages.js";
import { ViewHead } from "../ui/view-head.js";

/** @typedef {import("../../catalog/schemas.ts").Category} Category */

export function View() {
  const pages = /** @type {import("../ui/pages.js").Pages<Category>} */ (usePages("/categories"));
  const [editing, setEditing] = useState(/** @type {Category | "new" | undefined} */ (undefined));

  /** @param {Category} category */
  async function remove({ id, name }) {
    if (!(await ask(`Delete ${name}?`, "It leaves the menu. Past orders keep their names.", "Delete")))
      return;
    try {
      await call("DELETE", `/admin/categories/${id}`);
      say(`${name} is deleted`);
      await pages.reload();
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      warn(`${name} is still there. ${error.message}`);
    }
  }

  return html`
    <${ViewHead} title="Categories">
      <div class="tools">
        <button type="button" class="button primary" onClick=${() => setEditing("new")}>New category</button>
      </div>
    <//>
    <${PagedList} pages=${pages} empty="There is no category yet.">
      <div class="table-frame">
        <table>
          <thead>
            <tr><th>Name</th><th>Description</th><th class="number">Place</th><th><span class="unseen">Actions</span></th></tr>
          </thead>
          <tbody>
            ${pages.items?.map(
              (category) => html`
                <tr key=${category.id}>
                  <th scope="row">${category.name}</th>
                  <td data-label="Description">${category.description ?? html`<span class="quiet">none</span>`}</td>
                  <td class="number" data-label="Place">${category.sort_order}</td>
                  <td class="row-actions">
                    <button type="button" class="button" onClick=${() => setEditing(category)}>
                      Edit<span class="unseen"> ${category.name}</span>
                    </button>
                    <${Button} class="plain" onPress=${() => remove(category)}>
                      Delete<span class="unseen"> ${category.name}</span>
                    <//>
                  </td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    <//>
    ${
      editing &&
      html`<${CategoryDialog}
        category=${editing === "new" ? undefined : editing}
        onClose=${() => setEditing(undefined)}
        onSaved=${async (/** @type {Category} */ { name }) => {
          setEditing(undefined);
          say(`${name} is saved`);
          await pages.reload();
        }}
      />`
    }
  `;
}

/**
 * @param {object} props
 * @param {Category | undefined} props.category undefined: a new one
 * @param {() => void} props.onClose
 * @param {(category: Category) => unknown} props.onSaved
 */
function CategoryDialog({ category, onClose, onSaved }) {
  const [name, setName] = useState(category?.name ?? "");
  const [description, setDescription] = useState(category?.description ?? "");
  const [place, setPlace] = useState(String(category?.sort_order ?? 0));

  async function save() {
    const body = {
      name,
      description: description.trim() || null,
      sort_order: wholeNumber(place),
    };
    onSaved(
      category
        ? await call("PATCH", `/admin/categories/${category.id}`, { body })
        : await call("POST", "/admin/categories", { body }),
    );
  }

  return html`
    <${Dialog} title=${category ? `Edit ${category.name}` : "New category"} onClose=${onClose}>
      <${Form} onSave=${save}>
        <${TextField} label="Name" path="/name" codes=${["name_taken"]} value=${name} onValue=${setName} autofocus />
        <${TextArea} label="Description" path="/description" value=${description} onValue=${setDescription} />
        <${TextField}
          label="Place on the menu"
          path="/sort_order"
          hint="The smallest number comes first."
          inputmode="numeric"
          value=${place}
          onValue=${setPlace}
        />
        <${FormActions} />
      <//>
    <//>
  `;
}
