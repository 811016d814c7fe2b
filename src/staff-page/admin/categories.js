// The categories, in the menu's order.
import { useState } from "preact/hooks";
import { Dialog } from "../ui/dialog.js";
import { Form, FormActions, TextArea, TextField, wholeNumber } from "../ui/form.js";
import { html } from "../ui/html.js";
import { PagedList, usePaginatedQuery } from "../ui/use-paginated-query.js";
import { ViewHead } from "../ui/view-head.js";
import { useRowEditing } from "./row-editing.js";

/** @typedef {import("../../catalog/schemas.ts").Category} Category */

export function View() {
  const pages = /** @type {import("../ui/use-paginated-query.js").Pages<Category>} */ (
    usePaginatedQuery("/categories")
  );
  const { add, actions, opened } = useRowEditing({
    pages,
    path: "/admin/categories",
    nameOf: ({ name }) => name,
    loss: "It leaves the menu. Past orders keep their names.",
    Window: CategoryWindow,
  });

  return html`
    <${ViewHead} title="Categories">
      <div class="tools">
        <button type="button" class="button primary" onClick=${add}>New category</button>
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
                  <td class="row-actions">${actions(category)}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    <//>
    ${opened}
  `;
}

/** @param {import("./row-editing.js").WindowProps<Category>} props */
function CategoryWindow({ row, onClose, onSave }) {
  const [name, setName] = useState(row?.name ?? "");
  const [description, setDescription] = useState(row?.description ?? "");
  const [place, setPlace] = useState(String(row?.sort_order ?? 0));
  const body = { name, description: description.trim() || null, sort_order: wholeNumber(place) };
  const [began] = useState(body);

  return html`
    <${Dialog} title=${row ? `Edit ${row.name}` : "New category"} onClose=${onClose}>
      <${Form} onSave=${() => onSave(body, began)}>
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
