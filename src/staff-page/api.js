// The session and every call of the API. The access token stays in memory.
//
// The refresh token is in sessionStorage: a tablet stays signed in after a reload, and a closed tab does not. The page's
// policy admits no foreign script that could read it.

/** @typedef {import("../users/schemas.ts").User} User */
/** @typedef {import("../auth/schemas.ts").TokenPair} TokenPair */
/** @typedef {{ path: string, message: string, row?: number }} FieldError */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Query */
/**
 * @typedef {object} Request
 * @property {Query} [query] omits undefined, null and empty values
 * @property {unknown} [body] sent as JSON; a Blob as it is, with its own type
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal] replaces the default timeout
 */

/** @param {string} name the name of a meta element */
const metaContent = (name) =>
  /** @type {HTMLMetaElement} */ (document.querySelector(`meta[name="${name}"]`)).content;

const apiPrefix = metaContent("api-prefix");
/** ISO 4217. */
export const currency = metaContent("currency");

/** An error response: `message` for people, `code` for decisions, `errors` for fields. */
export class ApiProblem extends Error {
  /** @param {{ status: number, code: string, detail: string, errors?: FieldError[] }} problem */
  constructor({ status, code, detail, errors = [] }) {
    super(detail);
    this.status = status;
    /** A code of the API, or `unreachable` without a response. */
    this.code = code;
    this.errors = errors;
  }
}

/** @type {{ accessToken: string, refreshAt: number } | undefined} */
let session;
/** @type {Promise<void> | undefined} */
let refreshing;
let onSessionEnd = () => {};

const tokenKey = "ristretto.refresh-token";
/** A picture of 5 MB may take a minute to upload. */
const timeoutMs = 60_000;

const signedOut = () =>
  new ApiProblem({ status: 401, code: "unauthorized", detail: "Please sign in again." });
const unreachable = () =>
  new ApiProblem({ status: 0, code: "unreachable", detail: "The service is unreachable." });

/** A duplicated tab shares the refresh token. All tabs take over a rotated one, because reuse ends the session. */
const otherTabs = new BroadcastChannel("ristretto.session");
otherTabs.onmessage = ({ data: { was, pair } }) => {
  if (sessionStorage.getItem(tokenKey) === was) keep(pair);
};

/** @param {TokenPair} pair */
function keep(pair) {
  // A minute before expiry, or at a quarter of a shorter lifetime.
  const early = Math.min(60, pair.expires_in / 4);
  session = { accessToken: pair.access_token, refreshAt: Date.now() + (pair.expires_in - early) * 1_000 };
  sessionStorage.setItem(tokenKey, pair.refresh_token);
}

function forget() {
  session = undefined;
  sessionStorage.removeItem(tokenKey);
}

/** @param {() => void} listener is called when a session ends without a sign-out on this page */
export function whenSessionEnds(listener) {
  onSessionEnd = listener;
}

/**
 * Signs in. Returns the user. Throws ApiProblem.
 * @param {string} email
 * @param {string} password
 * @returns {Promise<User>}
 */
export async function signIn(email, password) {
  keep(await post("/auth/token", { username: email, password }));
  return get("/users/me");
}

/**
 * Returns the user of a session that began before the page was loaded, or undefined. Throws ApiProblem.
 * @returns {Promise<User | undefined>}
 */
export async function resume() {
  if (!sessionStorage.getItem(tokenKey)) return undefined;
  try {
    return await get("/users/me");
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 401) return undefined;
    throw error;
  }
}

/** Ends the session on this page at once, then at the service. Throws ApiProblem. */
export async function signOut() {
  const refresh_token = sessionStorage.getItem(tokenKey);
  forget();
  await post("/auth/logout", { refresh_token });
}

/**
 * Returns a valid access token. Throws ApiProblem: 401 when the session has ended.
 * @returns {Promise<string>}
 */
async function freshToken() {
  if (!session || Date.now() >= session.refreshAt) await refresh();
  // Signed out during the refresh.
  if (!session) throw signedOut();
  return session.accessToken;
}

/** Concurrent calls share one refresh. */
function refresh() {
  refreshing ??= rotate().finally(() => {
    refreshing = undefined;
  });
  return refreshing;
}

async function rotate() {
  const was = sessionStorage.getItem(tokenKey);
  try {
    if (!was) throw signedOut();
    const pair = await post("/auth/refresh", { refresh_token: was });
    // Signed out during the refresh, or rotated by another tab.
    if (sessionStorage.getItem(tokenKey) !== was) return;
    keep(pair);
    otherTabs.postMessage({ was, pair });
  } catch (error) {
    // Any other error may pass. Another session may have begun in the meantime.
    if (error instanceof ApiProblem && error.status === 401 && sessionStorage.getItem(tokenKey) === was) {
      forget();
      onSessionEnd();
    }
    throw error;
  }
}

/**
 * Sends a request to a path under the API's prefix. Returns the response. Throws ApiProblem.
 * @param {string} method
 * @param {string} path
 * @param {Request} [request]
 * @returns {Promise<Response>}
 */
export async function request(method, path, request = {}) {
  const token = await freshToken();
  try {
    return await send(method, path, request, token);
  } catch (error) {
    if (!(error instanceof ApiProblem && error.status === 401)) throw error;
    // Another call may have refreshed the token already.
    if (session?.accessToken === token) await refresh();
    return send(method, path, request, await freshToken());
  }
}

/**
 * Returns the response's JSON; undefined without a body. Throws ApiProblem.
 * @param {string} method
 * @param {string} path
 * @param {Request} [options]
 * @returns {Promise<any>}
 */
export async function call(method, path, options) {
  return jsonOf(await request(method, path, options));
}

/** @param {Response} response */
const jsonOf = (response) => (response.status === 204 ? undefined : readBody(response.json()));

/**
 * Returns the body. Throws ApiProblem if it is truncated or invalid.
 * @template Body
 * @param {Promise<Body>} body
 * @returns {Promise<Body>}
 */
export const readBody = (body) =>
  body.catch(() => {
    throw unreachable();
  });

/**
 * @param {string} path
 * @param {Query} [query]
 * @returns {Promise<any>}
 */
export const get = (path, query) => call("GET", path, { query });

/** @param {string} path @param {unknown} body */
const post = async (path, body) => jsonOf(await send("POST", path, { body }));

/** @param {string} method @param {string} path @param {Request} request @param {string} [token] */
async function send(method, path, { query = {}, body, headers, signal }, token) {
  const blob = body instanceof Blob;
  const url = new URL(apiPrefix + path, location.origin);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, String(value));
  const response = await fetch(url, {
    method,
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && !blob && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: blob ? body : JSON.stringify(body) }),
    signal: signal ?? AbortSignal.timeout(timeoutMs),
  }).catch(() => {
    throw unreachable();
  });
  if (response.ok) return response;
  throw new ApiProblem(
    await response.json().catch(() => ({
      status: response.status,
      code: "unavailable",
      detail: "The service is unavailable. Please try again in a moment.",
    })),
  );
}
