// Lists that come in pages.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem, get } from "../api.js";
import { Button } from "./button.js";
import { html } from "./html.js";
import { QueryState } from "./use-query.js";

/** Rows in a page: more than fit a screen, so that "more" is rarely needed. */
const limit = 50;

/** @typedef {import("../api.js").Query} Query */
/**
 * @template Item
 * @typedef {object} Pages
 * @property {Item[] | undefined} items undefined until the first page is there
 * @property {ApiProblem | undefined} problem
 * @property {boolean} hasMore
 * @property {() => Promise<void>} more reads the next page
 * @property {() => Promise<void>} reload reads from the beginning, and keeps showing what there is meanwhile
 */

/**
 * A list of the API, from its first page on; read anew when `path` or `query` changes.
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
    // Else an answer that comes late would stand in the place of the one that is wanted.
    if (nth === asked.current) setList(next);
  }
  useEffect(() => {
    void read([], undefined);
  }, [key]);

  // What belongs to another query is not shown as the answer to this one.
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
 * What stands where a list would: that it is coming, that it failed, that it is empty; and "more" below it.
 * @param {{ pages: Pages<any>, empty: string, children?: import("preact").ComponentChildren }} props
 */
export function PagedList({ pages, empty, children }) {
  const { items, problem, hasMore, more, reload } = pages;
  return html`
    <${QueryState} reading=${{ value: items, problem, reload }} />
    ${items?.length === 0 && html`<p class="quiet">${empty}</p>`}
    ${items && items.length > 0 && children}
    ${hasMore && html`<p class="more"><${Button} onPress=${more}>Show more<//></p>`}
  `;
}
