// The products.
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../api.js";
import { announce } from "../ui/announce.js";
import { html } from "../ui/html.js";
import { formatMoney } from "../ui/money.js";
import { PagedList, usePaginatedQuery } from "../ui/use-paginated-query.js";
import { QueryState, useQuery } from "../ui/use-query.js";
import { ViewHead } from "../ui/view-head.js";
import { ProductEditor } from "./product-editor.js";
import { Thumbnail } from "./product-picture.js";

/** @typedef {import("../../catalog/schemas.ts").Product} Product */
/** @typedef {import("../../catalog/schemas.ts").Category} Category */

/** Delay after the last key before a search. */
const typingMs = 250;
/** The link from a product back to the list with its filter. */
let listAddress = "#/products";

/** @param {{ route: import("../router.js").Route }} props */
export function View({ route: { rest, query } }) {
  const reading = useQuery("categories", readCategories);
  const categories = reading.value;
  if (!categories) return html`<${ViewHead} title="Products" /><${QueryState} query=${reading} />`;
  const [id] = rest;
  if (!id) return html`<${ProductList} query=${query} categories=${categories} />`;
  return html`<${ProductEditor}
    key=${`${id} ${query}`}
    id=${id === "new" ? undefined : id}
    like=${query.get("like")}
    categories=${categories}
    back=${listAddress}
  />`;
}

/** All of them, in the menu's order. @returns {Promise<Category[]>} */
async function readCategories() {
  /** @type {Category[]} */
  const all = [];
  let cursor;
  do {
    const page = await get("/categories", { limit: 100, cursor });
    all.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return all;
}

/** @param {{ query: URLSearchParams, categories: Category[] }} props */
function ProductList({ query, categories }) {
  const wanted = query.get("q") ?? "";
  const category_id = query.get("category") ?? "";
  const archived = query.has("archived");
  const [typed, setTyped] = useState(wanted);
  const asked = useRef(wanted);
  const pages = /** @type {import("../ui/use-paginated-query.js").Pages<Product>} */ (
    usePaginatedQuery("/admin/products", { q: wanted, category_id, archived })
  );

  /** @param {Record<string, string>} change an empty text: not looked for */
  function look(change) {
    const next = new URLSearchParams(query);
    for (const [name, value] of Object.entries(change))
      if (value) next.set(name, value);
      else next.delete(name);
    // Without an entry in the browser's history.
    location.replace(next.size > 0 ? `#/products?${next}` : "#/products");
  }
  useEffect(() => {
    if (typed.trim() === wanted) return;
    const timer = setTimeout(() => {
      asked.current = typed.trim();
      look({ q: asked.current });
    }, typingMs);
    return () => clearTimeout(timer);
  }, [typed]);
  // The filter may change elsewhere, such as in the navigation.
  useEffect(() => {
    if (wanted === asked.current) return;
    asked.current = wanted;
    setTyped(wanted);
  }, [wanted]);
  useEffect(() => {
    listAddress = location.hash;
  }, [wanted, category_id, archived]);
  useEffect(() => {
    const { items, hasMore } = pages;
    if (items && (wanted || category_id || archived))
      announce(`${items.length}${hasMore ? " and more" : ""} found`);
  }, [pages.items]);

  return html`
    <${ViewHead} title="Products">
      <div class="tools"><a class="button primary" href="#/products/new">New product</a></div>
    <//>
    <div class="filters" role="search">
      <input type="search" aria-label="Find by name" placeholder="Find by name" maxlength="100" value=${typed} onInput=${(/** @type {{ currentTarget: HTMLInputElement }} */ { currentTarget }) => setTyped(currentTarget.value)} />
      <select aria-label="Category" value=${category_id} onChange=${(/** @type {{ currentTarget: HTMLSelectElement }} */ { currentTarget }) => look({ category: currentTarget.value })}>
        <option value="">All categories</option>
        ${categories.map(({ id, name }) => html`<option key=${id} value=${id}>${name}</option>`)}
      </select>
      <select aria-label="On the menu or archived" value=${archived ? "yes" : ""} onChange=${(/** @type {{ currentTarget: HTMLSelectElement }} */ { currentTarget }) => look({ archived: currentTarget.value })}>
        <option value="">On the menu</option>
        <option value="yes">Archived</option>
      </select>
    </div>
    <${PagedList} pages=${pages} empty=${wanted || category_id || archived ? "No products found." : "No products yet."}>
      <div class="table-frame products">
        <table>
          <thead>
            <tr><th>Name</th><th>Category</th><th class="number">Price</th><th>Availability</th></tr>
          </thead>
          <tbody>
            ${pages.items?.map(
              (product) => html`
                <tr key=${product.id}>
                  <th scope="row"><a href=${`#/products/${product.id}`}><${Thumbnail} url=${product.image_url} name=${product.name} />${product.name}</a></th>
                  <td data-label="Category">${categories.find(({ id }) => id === product.category_id)?.name ?? html`<span class="quiet">none</span>`}</td>
                  <td class="number" data-label="Price">${priceOf(product)}</td>
                  <td data-label="Availability">${availabilityOf(product)}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    <//>
  `;
}

/** From the cheapest to the dearest, before options. @param {Product} product */
function priceOf({ base_price_cents, variations }) {
  const prices = variations.map(({ price_cents }) => price_cents);
  if (prices.length === 0) return formatMoney(base_price_cents);
  const [least, most] = [Math.min(...prices), Math.max(...prices)];
  return least === most ? formatMoney(least) : `${formatMoney(least)} – ${formatMoney(most)}`;
}

/** @param {Product} product */
function availabilityOf({ archived_at, available, variations, option_groups }) {
  if (archived_at) return html`<span class="quiet">Archived</span>`;
  if (!available) return html`<span class="out">Sold out</span>`;
  const parts = [...variations, ...option_groups.flatMap(({ options }) => options)];
  const gone = parts.filter((part) => !part.available).map(({ name }) => name);
  return gone.length === 0
    ? "Available"
    : html`Available <span class="out">without ${gone.join(", ")}</span>`;
}
