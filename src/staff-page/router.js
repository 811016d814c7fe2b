// Routes in the URL's hash, so that the service needs one path and the browser's back button works.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** @typedef {{ name: string, rest: string[], query: URLSearchParams }} Route */

/**
 * Parses `#/orders/0192?status=ready`: the view `orders`, the rest `["0192"]` and a query.
 * @param {string} hash
 * @returns {Route}
 */
function readRoute(hash) {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name = "", ...rest] = path.split("/");
  return { name, rest, query: new URLSearchParams(search) };
}

/**
 * Navigates to `path`, such as `/orders/0192`; omits empty query values.
 * @param {string} path
 * @param {Record<string, string>} [query]
 */
export function go(path, query = {}) {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  location.hash = asked.size > 0 ? `${path}?${asked}` : path;
}

/** The hash of the current view. */
let shown = location.hash;
/** @type {(() => Promise<boolean>) | undefined} */
let mayLeave;

/** Returns whether the view may be left: it has no unsaved input, or the user confirms. */
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

/** Returns a navigation for after a response; it does nothing once the view was left. */
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

/** Returns the current route and follows its changes. */
export function useRoute() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    async function follow() {
      const wanted = location.hash;
      if (mayLeave && wanted !== shown) {
        // The browser has already navigated.
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
 * Asks before the view is left; the browser asks before a reload.
 * @param {(() => Promise<boolean>) | undefined} question undefined: nothing would be lost
 */
export function useLeaveQuestion(question) {
  const asks = Boolean(question);
  // In a layout effect: a view that was just saved must not ask.
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
