import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem, get } from "../api.js";
import { Button } from "./button.js";
import { html } from "./html.js";
import { QueryState } from "./use-query.js";

/** Rows in a page. */
const limit = 50;

/** @typedef {import("../api.js").Query} Query */
/**
 * @template Item
 * @typedef {object} Pages
 * @property {Item[] | undefined} items undefined until the first page is there
 * @property {ApiProblem | undefined} problem
 * @property {boolean} hasMore
 * @property {() => Promise<void>} more reads the next page
 * @property {() => Promise<void>} reload reads the first page; the old rows stay visible meanwhile
 */

/**
 * Reads a paginated list; starts again when `path` or `query` changes.
 * @template Item
 * @param {string} path
 * @param {Query} [query]
 * @returns {Pages<Item>}
 */
export function usePaginatedQuery(path, query = {}) {
  const key = JSON.stringify([path, query]);
  const [list, setList] = useState(
    /** @type {{ key: string, items?: Item[], cursor?: string | null, problem?: ApiProblem }} */ ({ key }),
  );

  const asked = useRef(0);

  /** @param {Item[]} before @param {string | null | undefined} cursor */
  async function read(before, cursor) {
    const nth = ++asked.current;
    /** @type {typeof list} */
    let next;
    try {
      const page = await get(path, { limit, ...query, cursor });
      next = { key, items: [...before, ...page.items], cursor: page.next_cursor };
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      next = { key, ...(before.length > 0 && { items: before, cursor: cursor ?? null }), problem: error };
    }
    // Ignore an outdated response.
    if (nth === asked.current) setList(next);
  }
  useEffect(() => {
    void read([], undefined);
  }, [key]);

  // Rows of another query are not shown.
  const current = list.key === key ? list : undefined;
  return {
    items: current?.items,
    problem: current?.problem,
    hasMore: Boolean(current?.cursor),
    more: () => read(current?.items ?? [], current?.cursor),
    reload: () => read([], undefined),
  };
}

/**
 * Renders a list with its loading, error and empty states, and "Show more".
 * @param {{ pages: Pages<any>, empty: string, children?: import("preact").ComponentChildren }} props
 */
export function PagedList({ pages, empty, children }) {
  const { items, problem, hasMore, more, reload } = pages;
  return html`
    <${QueryState} query=${{ value: items, problem, reload }} />
    ${items?.length === 0 && html`<p class="quiet">${empty}</p>`}
    ${items && items.length > 0 && children}
    ${hasMore && html`<p class="more"><${Button} onPress=${more}>Show more<//></p>`}
  `;
}
