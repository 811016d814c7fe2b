// One product with its variations and options, saved against the version that was read. Availability is saved at once.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem, call, get, readBody, request } from "../api.js";
import { useLeaveQuestion, useNavigation } from "../router.js";
import { Stock } from "../sold-out.js";
import { toast, toastError } from "../ui/announce.js";
import { Button } from "../ui/button.js";
import { confirm } from "../ui/confirm.js";
import { Form, FormActions, MoneyField, PathError, SelectField, TextArea, TextField } from "../ui/form.js";
import { html } from "../ui/html.js";
import { Rows } from "../ui/rows.js";
import { QueryState, useQuery } from "../ui/use-query.js";
import { ViewHead } from "../ui/view-head.js";
import {
  blankGroup,
  blankRow,
  bodyOf,
  copyOf,
  differences,
  draftOf,
  emptyDraft,
  inBrief,
  labels,
  merge,
  pathByKeys,
} from "./product-draft.js";
import { Picture } from "./product-picture.js";

/** @typedef {import("./product-draft.js").Product} Product */
/** @typedef {import("./product-draft.js").Category} Category */
/** @typedef {import("./product-draft.js").Draft} Draft */
/** @typedef {import("./product-draft.js").DraftRow} DraftRow */
/** @typedef {import("./product-draft.js").DraftGroup} DraftGroup */
/** @typedef {import("./product-draft.js").Field} Field */

/** The API's limits: variations and groups of a product, options of a group. */
const most = { variations: 50, option_groups: 20, options: 20 };

/** The API's limit, checked here because a browser may not see a rejection while it sends. */
const maxImageBytes = 5 * 1024 * 1024;
const tooLarge = new ApiProblem({
  status: 0,
  code: "picture_too_large",
  detail: "The picture is too large. The limit is 5 MB.",
});
const unreadable = new ApiProblem({
  status: 0,
  code: "picture_unreadable",
  detail: "The file has changed. Please choose it again.",
});

/**
 * @param {object} props
 * @param {string | undefined} props.id undefined: a new one
 * @param {string | null} props.like the id of the one that a new one begins as
 * @param {Category[]} props.categories
 * @param {string} props.back the list that one came from
 */
export function ProductEditor({ id, like, categories, back }) {
  const from = id ?? like;
  const reading = /** @type {import("../ui/use-query.js").QueryResult<Product | null>} */ (
    useQuery(from ?? "", async () => (from ? get(`/admin/products/${from}`) : null))
  );
  const product = reading.value ?? undefined;

  const toList = html`<p><a href=${back}><span aria-hidden="true">‹ </span>All products</a></p>`;
  if (from && !product)
    return html`
      ${toList}
      <${ViewHead} title="Product" />
      <${QueryState} query=${reading} />
    `;
  if (id && product?.archived_at)
    return html`
      ${toList}
      <${ViewHead} title=${product.name} />
      <p>It is archived. Past orders keep its name; it can't be ordered.</p>
      <p><a class="button" href=${`#/products/new?like=${id}`}>Make a new product like it</a></p>
    `;
  return html`
    ${toList}
    <${ProductForm} read=${id ? product : undefined} begin=${!id && product ? copyOf(product) : undefined} categories=${categories} back=${back} />
  `;
}

/**
 * @param {object} props
 * @param {Product | undefined} props.read undefined: a new one
 * @param {Draft | undefined} props.begin what a new one begins as
 * @param {Category[]} props.categories
 * @param {string} props.back
 */
function ProductForm({ read, begin = emptyDraft, categories, back }) {
  const { leaveFor, rename } = useNavigation();
  /** The version that the input changes. */
  const [product, setProduct] = useState(read);
  const base = product ? draftOf(product) : emptyDraft;
  const [draft, setDraft] = useState(read ? base : begin);
  const [file, setFile] = useState(/** @type {File | undefined} */ (undefined));
  /** The latest availability, which may be newer than the edited version. */
  const [stock, setStock] = useState(read);
  const [clash, setClash] = useState(/** @type {Clash | undefined} */ (undefined));
  const unsaved = differences(draft, base).length > 0 || file !== undefined;
  useLeaveQuestion(
    unsaved ? () => confirm("Leave without saving?", "Your changes would be lost.", "Leave") : undefined,
  );
  /** @param {Partial<Draft>} part */
  const change = (part) => setDraft((now) => ({ ...now, ...part }));
  /** @template {Field} F @param {F} field */
  const bind = (field) => ({
    label: labels[field],
    path: `/${field}`,
    value: draft[field],
    onValue: (/** @type {Draft[F]} */ value) => change({ [field]: value }),
  });

  /** In the place of any address that was typed. @param {File | undefined} chosen */
  function choose(chosen) {
    setFile(chosen);
    change({ image_url: base.image_url });
  }

  /** What is saved becomes what is edited; what was typed while it was being saved stays. @param {Product} saved @param {Draft} sent */
  function adopt(saved, sent) {
    setProduct(saved);
    setStock(saved);
    setDraft((now) => merge(now, sent, draftOf(saved, sent)));
  }

  async function save() {
    const sent = draft;
    try {
      const picture = file && (await readPicture(file));
      const saved = product ? await saveChanges(product, sent) : await create(sent);
      const shown = picture ? await upload(saved, picture) : saved;
      if (shown !== saved) adopt(shown, sent);
      setFile(undefined);
      setClash(undefined);
      toast(`${saved.name} is saved`);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      if (product && error.code === "stale_version") return compare(product);
      throw explain(error, sent);
    }
  }

  /** @param {Draft} sent @returns {Promise<Product>} */
  async function create(sent) {
    const saved = await call("POST", "/admin/products", { body: bodyOf(sent) });
    // If the picture is rejected, the editor continues with this product and does not create another.
    rename(`/products/${saved.id}`);
    adopt(saved, sent);
    return saved;
  }

  /** @param {Product} was @param {Draft} sent @returns {Promise<Product>} */
  async function saveChanges(was, sent) {
    const body = bodyOf(sent);
    const named = differences(sent, base);
    if (named.length === 0) return was;
    const saved = await call("PATCH", `/admin/products/${was.id}`, {
      body: Object.fromEntries(named.map((field) => [field, body[field]])),
      headers: { "if-match": `"${was.version}"` },
    });
    adopt(saved, sent);
    return saved;
  }

  /** @param {Product} was */
  async function compare(was) {
    const newer = /** @type {Product} */ (await get(`/admin/products/${was.id}`));
    const theirs = draftOf(newer);
    const mine = differences(draft, base);
    const changed = differences(theirs, base);
    setClash({
      theirs,
      taken: changed.filter((field) => !mine.includes(field)),
      both: differences(draft, theirs).filter((field) => mine.includes(field) && changed.includes(field)),
    });
    setProduct(newer);
    setStock(newer);
    setDraft((now) => merge(now, base, theirs));
  }

  /** @param {Product} answered after its availability was changed */
  function takeStock(answered) {
    setStock(answered);
    // With a larger step another user has changed it, too; saving reports that.
    setProduct((was) => (was?.version === answered.version - 1 ? answered : was));
  }

  /** @param {Product} was */
  async function archive({ id, name, version }) {
    if (
      !(await confirm(
        `Archive ${name}?`,
        "It is removed from the menu. Past orders keep its name.",
        "Archive",
      ))
    )
      return;
    try {
      await call("DELETE", `/admin/products/${id}`, { headers: { "if-match": `"${version}"` } });
      toast(`${name} is archived`);
      leaveFor(back);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      if (product && error.code === "stale_version") await compare(product);
      else toastError(`${name} was not changed. ${error.message}`);
    }
  }

  return html`
    <${ViewHead} title=${product?.name ?? "New product"}>
      ${product && html`<div class="tools"><${Button} onPress=${() => archive(product)}>Archive<//></div>`}
    <//>
    <${Form} onSave=${save}>
      <div class="product">
        <div class="product-fields">
          <section class="panel">
            <${TextField} ...${bind("name")} codes=${["name_taken"]} autocomplete="off" />
            <div class="side-by-side">
              <${MoneyField} ...${bind("base_price_cents")} />
              <${SelectField} ...${bind("category_id")} options=${categoryOptions(categories, draft.category_id)} />
            </div>
            <${TextArea} ...${bind("description")} />
          </section>
          <section class="panel" aria-labelledby="variations">
            <h2 id="variations">Variations</h2>
            <p class="hint">Sizes or flavors: a customer takes exactly one. What each adds to the price, or takes off.</p>
            <${PricedRows} what="variation" path="/variations" max=${most.variations} rows=${draft.variations} onRows=${(/** @type {DraftRow[]} */ variations) => change({ variations })} />
          </section>
          <section class="panel" aria-labelledby="options">
            <h2 id="options">Options</h2>
            <p class="hint">In groups, such as Milk. Each group says how many a customer may choose.</p>
            <${Groups} groups=${draft.option_groups} onGroups=${(/** @type {DraftGroup[]} */ option_groups) => change({ option_groups })} />
          </section>
        </div>
        <div class="product-aside">
          <${Picture} name=${draft.name} file=${file} onFile=${choose} url=${draft.image_url} bind=${bind("image_url")} />
          ${
            stock &&
            html`<section class="panel stock" aria-labelledby="stock">
              <h2 id="stock">Availability</h2>
              <p class="hint">Holds at once, without saving.</p>
              <ul><${Stock} product=${stock} onChange=${takeStock} /></ul>
            </section>`
          }
        </div>
      </div>
      ${clash && html`<${ClashPanel} clash=${clash} draft=${draft} categories=${categories} onTake=${change} />`}
      <div class="save-bar">
        <${FormActions}><p class="quiet">${unsaved ? "Not saved yet" : ""}</p><//>
      </div>
    <//>
  `;
}

/** @param {Category[]} categories @param {string} current */
function categoryOptions(categories, current) {
  const known = categories.map(({ id, name }) => ({ value: id, label: name }));
  const gone = current && !categories.some(({ id }) => id === current);
  return [
    { value: "", label: "None" },
    ...known,
    ...(gone ? [{ value: current, label: "Deleted category" }] : []),
  ];
}

/**
 * Reads the file before it is sent, because a browser reports a changed file as an unreachable service. Throws
 * ApiProblem for the picture's field.
 * @param {File} file
 */
async function readPicture(file) {
  if (file.size > maxImageBytes) throw tooLarge;
  const bytes = await file.arrayBuffer().catch(() => {
    throw unreadable;
  });
  return new Blob([bytes], { type: file.type });
}

/**
 * Uploads the picture. Returns the product.
 * @param {Product} product
 * @param {Blob} picture
 * @returns {Promise<Product>}
 */
async function upload(product, picture) {
  const response = await request("PUT", `/admin/products/${product.id}/image`, { body: picture });
  const { image_url } = await readBody(response.json());
  const version = Number(response.headers.get("etag")?.replaceAll('"', ""));
  // With a larger step another user has changed it, too; the next save reports that.
  return { ...product, image_url, version: version === product.version + 1 ? version : product.version };
}

/** @param {ApiProblem} problem @param {Draft} sent */
function explain({ status, code, message, errors }, sent) {
  const detail =
    {
      unsupported_media_type: "This format is not supported. Use PNG, JPEG or WebP.",
      not_found: "Another user has archived this product. It can't be changed.",
    }[code] ?? message;
  const byKeys = errors.map((error) => ({ ...error, path: pathByKeys(error.path, sent) }));
  return new ApiProblem({ status, code, detail, errors: byKeys });
}

/**
 * Variations, or the options of a group.
 * @param {{ what: string, path: string, max: number, rows: DraftRow[], onRows: (rows: DraftRow[]) => void }} props
 */
function PricedRows({ what, path, max, rows, onRows }) {
  return html`
    <${PathError} path=${path} />
    <${Rows} ...${{ what, rows, onRows, max }} blank=${blankRow}>
      ${(
        /** @type {DraftRow} */ { key, name, price_change_cents },
        /** @type {(part: Partial<DraftRow>) => void} */ change,
      ) => html`
        <${TextField} label="Name" path=${`${path}/${key}/name`} autocomplete="off" value=${name} onValue=${(/** @type {string} */ name) => change({ name })} />
        <${MoneyField} label="Price +/−" placeholder="0.00" path=${`${path}/${key}/price_change_cents`} value=${price_change_cents} onValue=${(/** @type {string} */ price_change_cents) => change({ price_change_cents })} />
      `}
    <//>
  `;
}

/** @param {{ groups: DraftGroup[], onGroups: (groups: DraftGroup[]) => void }} props */
function Groups({ groups, onGroups }) {
  return html`
    <${PathError} path="/option_groups" />
    <${Rows} what="group" max=${most.option_groups} rows=${groups} onRows=${onGroups} blank=${blankGroup}>
      ${(
        /** @type {DraftGroup} */ { key, name, min_select, max_select, options },
        /** @type {(part: Partial<DraftGroup>) => void} */ change,
      ) => {
        const path = `/option_groups/${key}`;
        return html`
          <${TextField} label="Group" path=${`${path}/name`} autocomplete="off" value=${name} onValue=${(/** @type {string} */ name) => change({ name })} />
          <${TextField} label="At least" inputmode="numeric" path=${`${path}/min_select`} value=${min_select} onValue=${(/** @type {string} */ min_select) => change({ min_select })} />
          <${TextField} label="At most" inputmode="numeric" path=${`${path}/max_select`} value=${max_select} onValue=${(/** @type {string} */ max_select) => change({ max_select })} />
          <div class="nested">
            <${PricedRows} what="option" path=${`${path}/options`} max=${most.options} rows=${options} onRows=${(/** @type {DraftRow[]} */ options) => change({ options })} />
          </div>
        `;
      }}
    <//>
  `;
}

/**
 * Shows a conflict between two managers.
 * @typedef {{ theirs: Draft, taken: Field[], both: Field[] }} Clash
 */

/** @param {{ clash: Clash, draft: Draft, categories: Category[], onTake: (part: Partial<Draft>) => void }} props */
function ClashPanel({ clash: { theirs, taken, both }, draft, categories, onTake }) {
  const panel = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => panel.current?.focus(), [theirs]);
  return html`
    <section ref=${panel} class="clash" role="alert" tabindex="-1">
      <h2>Another user has changed this product</h2>
      <p>Your changes are not saved yet. Check them, and save again.</p>
      ${taken.length > 0 && html`<p>Changed by them: ${taken.map((field) => `${labels[field]}, now ${inBrief(field, theirs, categories)}`).join("; ")}.</p>`}
      ${both.map((field) => {
        const mine = inBrief(field, draft, categories);
        const other = inBrief(field, theirs, categories);
        return html`
          <div class="clash-field" key=${field} role="group" aria-label=${labels[field]}>
            <p><strong>${labels[field]}</strong> yours: ${mine}. Theirs: ${other}.</p>
            ${mine === other ? html`<p class="quiet">Taken over</p>` : html`<button type="button" class="button small" onClick=${() => onTake({ [field]: theirs[field] })}>Take theirs</button>`}
          </div>
        `;
      })}
    </section>
  `;
}
