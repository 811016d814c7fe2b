// Where one is: in the hash, so that one path of the service is enough and the browser's own back button works.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** @typedef {{ name: string, rest: string[], query: URLSearchParams }} Route */

/**
 * `#/orders/0192?status=ready` is the view `orders`, with `["0192"]` left for it and a query.
 * @param {string} hash
 * @returns {Route}
 */
function readRoute(hash) {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name = "", ...rest] = path.split("/");
  return { name, rest, query: new URLSearchParams(search) };
}

/**
 * Goes to `path`, such as `/orders/0192`; of the query, what is empty is left out.
 * @param {string} path
 * @param {Record<string, string>} [query]
 */
export function go(path, query = {}) {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  location.hash = asked.size > 0 ? `${path}?${asked}` : path;
}

/** What the page shows, as it stands in the address. */
let shown = location.hash;
/** @type {(() => Promise<boolean>) | undefined} */
let mayLeave;

/** Whether what is shown may be left: nothing would be lost by it, or the person is asked and wants it. */
export const mayLeaveView = async () => !mayLeave || mayLeave();

/** Goes there unasked, for nothing would be lost. @param {string} path */
function leaveFor(path) {
  mayLeave = undefined;
  go(path);
}

/** Writes another address for what is shown already. @param {string} path */
function rename(path) {
  shown = `#${path}`;
  history.replaceState(null, "", shown);
}

/** The same for a view that waits for an answer first: left meanwhile, it leads nobody anywhere. */
export function useNavigation() {
  const left = useRef(false);
  useEffect(
    () => () => {
      left.current = true;
    },
    [],
  );
  /** @template {any[]} Where @param {(...where: Where) => void} way @returns {(...where: Where) => void} */
  const fromHere =
    (way) =>
    (...where) => {
      if (!left.current) way(...where);
    };
  return { go: fromHere(go), leaveFor: fromHere(leaveFor), rename: fromHere(rename) };
}

/** The route, and each one that follows. */
export function useRoute() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    async function follow() {
      const wanted = location.hash;
      if (mayLeave && wanted !== shown) {
        // The browser has gone there already, and asks nobody.
        history.pushState(null, "", shown);
        if (!(await mayLeave())) return;
        mayLeave = undefined;
        location.hash = wanted;
        return;
      }
      shown = wanted;
      setHash(wanted);
    }
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return readRoute(hash);
}

/**
 * Asks before another view takes the place of this one; the browser asks by itself before it loads the page anew.
 * @param {(() => Promise<boolean>) | undefined} question undefined: nothing would be lost
 */
export function useLeaveQuestion(question) {
  const asks = Boolean(question);
  // Not a moment later than it is seen: what has just been saved is left unasked.
  useLayoutEffect(() => {
    mayLeave = question;
    return () => {
      mayLeave = undefined;
    };
  });
  useEffect(() => {
    if (!asks) return;
    const hold = (/** @type {Event} */ event) => event.preventDefault();
    addEventListener("beforeunload", hold);
    return () => removeEventListener("beforeunload", hold);
  }, [asks]);
}
