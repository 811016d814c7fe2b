// What the shop shows above its menu: now, some day, or no more.
import { useState } from "preact/hooks";
import { ApiProblem, call } from "../api.js";
import { say, warn } from "../ui/announce.js";
import { ask } from "../ui/ask.js";
import { Button } from "../ui/button.js";
import { Dialog } from "../ui/dialog.js";
import { Field, Form, FormActions, TextArea, TextField, wholeNumber } from "../ui/form.js";
import { html } from "../ui/html.js";
import { PagedList, usePages } from "../ui/pages.js";
import { Time, useNow } from "../ui/time.js";
import { ViewHead } from "../ui/view-head.js";
import { Thumbnail } from "./product-picture.js";

/** @typedef {import("../../promotions/schemas.ts").Promotion} Promotion */

/** A promotion begins and ends while it is looked at. */
const lookMs = 10_000;

export function View() {
  const pages = /** @type {import("../ui/pages.js").Pages<Promotion>} */ (usePages("/admin/promotions"));
  const [editing, setEditing] = useState(/** @type {Promotion | "new" | undefined} */ (undefined));
  const now = useNow(lookMs);

  /** @param {Promotion} promotion */
  async function remove({ id, title }) {
    if (!(await ask(`Delete ${title}?`, "Customers see it no more.", "Delete"))) return;
    try {
      await call("DELETE", `/admin/promotions/${id}`);
      say(`${title} is deleted`);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      if (error.code !== "not_found") return warn(`${title} is still there. ${error.message}`);
      say(`Somebody has deleted ${title} already`);
    }
    await pages.reload();
  }

  return html`
    <${ViewHead} title="Promotions">
      <div class="tools">
        <button type="button" class="button primary" onClick=${() => setEditing("new")}>New promotion</button>
      </div>
    <//>
    <${PagedList} pages=${pages} empty="There is no promotion yet.">
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
                  <td class="row-actions">
                    <button type="button" class="button" onClick=${() => setEditing(promotion)}>
                      Edit<span class="unseen"> ${promotion.title}</span>
                    </button>
                    <${Button} class="plain" onPress=${() => remove(promotion)}>
                      Delete<span class="unseen"> ${promotion.title}</span>
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
      html`<${PromotionDialog}
        promotion=${editing === "new" ? undefined : editing}
        onClose=${() => setEditing(undefined)}
        onSaved=${async (/** @type {Promotion} */ { title }) => {
          setEditing(undefined);
          say(`${title} is saved`);
          await pages.reload();
        }}
      />`
    }
  `;
}

/** @param {{ promotion: Promotion, now: number }} props */
function State({ promotion: { starts_at, ends_at }, now }) {
  if (ends_at && Date.parse(ends_at) <= now) return html`<span class="quiet">Over</span>`;
  if (starts_at && Date.parse(starts_at) > now) return html`<span class="tag planned">Planned</span>`;
  return html`<span class="tag shown">Now</span>`;
}

/**
 * @param {object} props
 * @param {Promotion | undefined} props.promotion undefined: a new one
 * @param {() => void} props.onClose
 * @param {(promotion: Promotion) => unknown} props.onSaved
 */
function PromotionDialog({ promotion, onClose, onSaved }) {
  const [begin] = useState({
    title: promotion?.title ?? "",
    description: promotion?.description ?? "",
    image_url: promotion?.image_url ?? "",
    link_url: promotion?.link_url ?? "",
    sort_order: String(promotion?.sort_order ?? 0),
    starts_at: toLocal(promotion?.starts_at),
    ends_at: toLocal(promotion?.ends_at),
  });
  const [typed, setTyped] = useState(begin);
  /** @param {keyof typeof begin} field */
  const bind = (field) => ({
    path: `/${field}`,
    value: typed[field],
    onValue: (/** @type {string} */ value) => setTyped((now) => ({ ...now, [field]: value })),
  });

  async function save() {
    const body = {
      title: typed.title,
      description: typed.description.trim() || null,
      image_url: typed.image_url.trim() || null,
      link_url: typed.link_url.trim() || null,
      sort_order: wholeNumber(typed.sort_order),
      starts_at: fromLocal(typed.starts_at),
      ends_at: fromLocal(typed.ends_at),
    };
    if (!promotion) return onSaved(await call("POST", "/admin/promotions", { body }));
    // What was not touched stays as it is, to the second, and as another manager may have left it.
    const touched = Object.entries(body).filter(
      ([field]) =>
        typed[/** @type {keyof typeof begin} */ (field)] !== begin[/** @type {keyof typeof begin} */ (field)],
    );
    if (touched.length === 0) return onSaved(promotion);
    onSaved(await call("PATCH", `/admin/promotions/${promotion.id}`, { body: Object.fromEntries(touched) }));
  }

  return html`
    <${Dialog} title=${promotion ? `Edit ${promotion.title}` : "New promotion"} onClose=${onClose}>
      <${Form} onSave=${save}>
        <${TextField} label="Title" ...${bind("title")} autofocus />
        <${TextArea} label="Description" ...${bind("description")} />
        <${TextField} label="Picture" hint="Its web address." inputmode="url" ...${bind("image_url")} />
        <${TextField} label="Where it leads" hint="A web address, or a path of the shop's site." inputmode="url" ...${bind("link_url")} />
        <div class="side-by-side">
          <${MomentField} label="From" hint="Empty: from now on." ...${bind("starts_at")} />
          <${MomentField} label="Until" hint="Empty: without an end." ...${bind("ends_at")} />
        </div>
        <${TextField} label="Place" hint="The smallest number comes first." inputmode="numeric" ...${bind("sort_order")} />
        <${FormActions} />
      <//>
    <//>
  `;
}

/** What stands in a field that was filled in by half: the browser gives nothing of it. */
const unfinished = "unfinished";

/**
 * A day and a time, where the reader is. The browser keeps what is typed: given back, a half would be wiped out.
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
