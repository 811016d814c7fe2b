// Where one is: in the hash, so that one path of the service is enough and the browser's own back button works.
import { useEffect, useState } from "preact/hooks";

/** @typedef {{ name: string, rest: string[], query: URLSearchParams }} Route */

/**
 * `#/orders/0192?status=ready` is the view `orders`, with `["0192"]` left for it and a query.
 * @param {string} hash
 * @returns {Route}
 */
export function readRoute(hash) {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name = "", ...rest] = path.split("/").map(decodeURIComponent);
  return { name, rest, query: new URLSearchParams(search) };
}

/** Goes to `path`, such as `/orders/0192`. @param {string} path */
export function go(path) {
  location.hash = path;
}

/** The route, and each one that follows. */
export function useRoute() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return readRoute(hash);
}
