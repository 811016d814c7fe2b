// The promotions: current, future and past.
import { useState } from "preact/hooks";
import { Dialog } from "../ui/dialog.js";
import { Field, Form, FormActions, TextArea, TextField, wholeNumber } from "../ui/form.js";
import { html } from "../ui/html.js";
import { Time, useNow } from "../ui/time.js";
import { PagedList, usePaginatedQuery } from "../ui/use-paginated-query.js";
import { ViewHead } from "../ui/view-head.js";
import { Thumbnail } from "./product-picture.js";
import { useRowEditing } from "./row-editing.js";

/** @typedef {import("../../promotions/schemas.ts").Promotion} Promotion */

/** Interval of updates, because a promotion begins and ends by time. */
const lookMs = 10_000;

export function View() {
  const pages = /** @type {import("../ui/use-paginated-query.js").Pages<Promotion>} */ (
    usePaginatedQuery("/admin/promotions")
  );
  const { add, actions, opened } = useRowEditing({
    pages,
    path: "/admin/promotions",
    nameOf: ({ title }) => title,
    loss: "Customers no longer see it.",
    Window: PromotionWindow,
  });
  const now = useNow(lookMs);

  return html`
    <${ViewHead} title="Promotions">
      <div class="tools">
        <button type="button" class="button primary" onClick=${add}>New promotion</button>
      </div>
    <//>
    <${PagedList} pages=${pages} empty="No promotions yet.">
      <div class="table-frame">
        <table>
          <thead>
            <tr><th>Title</th><th>Shown</th><th>From</th><th>Until</th><th class="number">Place</th><th><span class="unseen">Actions</span></th></tr>
          </thead>
          <tbody>
            ${pages.items?.map(
              (promotion) => html`
                <tr key=${promotion.id}>
                  <th scope="row" class="with-picture"><${Thumbnail} url=${promotion.image_url} name=${promotion.title} />${promotion.title}</th>
                  <td data-label="Shown"><${State} promotion=${promotion} now=${now} /></td>
                  <td data-label="From">${promotion.starts_at ? html`<${Time} at=${promotion.starts_at} />` : html`<span class="quiet">always</span>`}</td>
                  <td data-label="Until">${promotion.ends_at ? html`<${Time} at=${promotion.ends_at} />` : html`<span class="quiet">no end</span>`}</td>
                  <td class="number" data-label="Place">${promotion.sort_order}</td>
                  <td class="row-actions">${actions(promotion)}</td>
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

/** @param {{ promotion: Promotion, now: number }} props */
function State({ promotion: { starts_at, ends_at }, now }) {
  if (ends_at && Date.parse(ends_at) <= now) return html`<span class="quiet">Over</span>`;
  if (starts_at && Date.parse(starts_at) > now) return html`<span class="tag planned">Planned</span>`;
  return html`<span class="tag shown">Now</span>`;
}

/** @param {import("./row-editing.js").WindowProps<Promotion>} props */
function PromotionWindow({ row, onClose, onSave }) {
  const [typed, setTyped] = useState({
    title: row?.title ?? "",
    description: row?.description ?? "",
    image_url: row?.image_url ?? "",
    link_url: row?.link_url ?? "",
    sort_order: String(row?.sort_order ?? 0),
    starts_at: toLocal(row?.starts_at),
    ends_at: toLocal(row?.ends_at),
  });
  /** @param {keyof typeof typed} field */
  const bind = (field) => ({
    path: `/${field}`,
    value: typed[field],
    onValue: (/** @type {string} */ value) => setTyped((now) => ({ ...now, [field]: value })),
  });
  const body = {
    title: typed.title,
    description: typed.description.trim() || null,
    image_url: typed.image_url.trim() || null,
    link_url: typed.link_url.trim() || null,
    sort_order: wholeNumber(typed.sort_order),
    starts_at: fromLocal(typed.starts_at),
    ends_at: fromLocal(typed.ends_at),
  };
  // Fields have no seconds; times are sent only if they were changed.
  const [began] = useState(body);

  return html`
    <${Dialog} title=${row ? `Edit ${row.title}` : "New promotion"} onClose=${onClose}>
      <${Form} onSave=${() => onSave(body, began)}>
        <${TextField} label="Title" ...${bind("title")} autofocus />
        <${TextArea} label="Description" ...${bind("description")} />
        <${TextField} label="Picture" hint="A URL." inputmode="url" ...${bind("image_url")} />
        <${TextField} label="Link" hint="A URL, or a path of the shop's site." inputmode="url" ...${bind("link_url")} />
        <div class="side-by-side">
          <${MomentField} label="From" hint="Empty: from now on." ...${bind("starts_at")} />
          <${MomentField} label="Until" hint="Empty: without an end." ...${bind("ends_at")} />
        </div>
        <${TextField} label="Position" hint="The smallest number comes first." inputmode="numeric" ...${bind("sort_order")} />
        <${FormActions} />
      <//>
    <//>
  `;
}

/** The value of an incomplete field, which the browser reports as empty. */
const unfinished = "unfinished";

/**
 * A local date and time. Uncontrolled, because a controlled field would lose incomplete input.
 * @param {{ label: string, path: string, hint: string, value: string, onValue: (value: string) => void }} props
 */
function MomentField({ label, path, hint, value, onValue }) {
  const [begin] = useState(value);
  const take = (/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget: input }) =>
    onValue(input.validity.badInput ? unfinished : input.value);
  return html`<${Field}
    ...${{ label, path, hint }}
    control=${(/** @type {object} */ attributes) =>
      html`<input type="datetime-local" ...${attributes} defaultValue=${begin} onInput=${take} onKeyUp=${take} onBlur=${take} />`}
  />`;
}

/** As such a field has it: 2026-03-05T14:30 on the reader's clock. @param {string | null | undefined} at */
function toLocal(at) {
  if (!at) return "";
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** What is no moment is given as it is, for the service to refuse at its field. @param {string} local */
function fromLocal(local) {
  if (!local) return null;
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? local : date.toISOString();
}
