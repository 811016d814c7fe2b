// The one way to the service: who is signed in, and every call. The access token lives in memory alone.
//
// The refresh token is kept in sessionStorage: a tablet that reloads stays signed in, and it goes with the tab. It is
// never in localStorage, which outlives the shift; that no other script reads it is what the page's policy is for.

/** @typedef {import("../users/schemas.ts").User} User */
/** @typedef {import("../auth/schemas.ts").TokenPair} TokenPair */
/** @typedef {{ path: string, message: string, row?: number }} FieldError */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Query */
/**
 * @typedef {object} Request
 * @property {Query} [query] what is undefined, null or empty is left out
 * @property {unknown} [body] JSON; a Blob is sent as it is, under its own type
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal] in the place of this module's own patience
 */

/** @param {string} name what the service wrote into the page */
const written = (name) =>
  /** @type {HTMLMetaElement} */ (document.querySelector(`meta[name="${name}"]`)).content;

const apiPrefix = written("api-prefix");
/** Of every price, as ISO 4217 has it. */
export const currency = written("currency");

/** A refusal, in the service's words: `message` for people, `code` for decisions, `errors` for fields. */
export class ApiProblem extends Error {
  /** @param {{ status: number, code: string, detail: string, errors?: FieldError[] }} problem */
  constructor({ status, code, detail, errors = [] }) {
    super(detail);
    this.status = status;
    /** As in the API's list; `unreachable` when there was no answer at all. */
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
/** Else a network that swallows requests would hold a form for minutes; a picture of 5 MB may take one. */
const patienceMs = 60_000;

const signedOut = () =>
  new ApiProblem({ status: 401, code: "unauthorized", detail: "Please sign in again." });
const unreachable = () =>
  new ApiProblem({ status: 0, code: "unreachable", detail: "The service can't be reached just now." });

/** A tab that is duplicated takes its refresh token along. Rotated by one, it is rotated for both: reuse ends it. */
const otherTabs = new BroadcastChannel("ristretto.session");
otherTabs.onmessage = ({ data: { was, pair } }) => {
  if (sessionStorage.getItem(tokenKey) === was) keep(pair);
};

/** @param {TokenPair} pair */
function keep(pair) {
  // A minute before it expires, or when a quarter of a short life is left.
  const early = Math.min(60, pair.expires_in / 4);
  session = { accessToken: pair.access_token, refreshAt: Date.now() + (pair.expires_in - early) * 1_000 };
  sessionStorage.setItem(tokenKey, pair.refresh_token);
}

function forget() {
  session = undefined;
  sessionStorage.removeItem(tokenKey);
}

/** @param {() => void} listener is told when a session ends that nobody here has signed out of */
export function whenSessionEnds(listener) {
  onSessionEnd = listener;
}

/**
 * Gives who signed in. Throws an ApiProblem.
 * @param {string} email
 * @param {string} password
 * @returns {Promise<User>}
 */
export async function signIn(email, password) {
  keep(await tell("/auth/token", { username: email, password }));
  return get("/users/me");
}

/**
 * Gives who was signed in before the page was loaded again, or undefined. Throws an ApiProblem.
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

/** Ends the session here at once, and at the service as soon as it hears of it. */
export async function signOut() {
  const refresh_token = sessionStorage.getItem(tokenKey);
  forget();
  await tell("/auth/logout", { refresh_token });
}

/**
 * Gives an access token that is good for a while yet. Throws an ApiProblem: 401 when the session has ended.
 * @returns {Promise<string>}
 */
async function freshToken() {
  if (!session || Date.now() >= session.refreshAt) await refresh();
  // Signed out meanwhile.
  if (!session) throw signedOut();
  return session.accessToken;
}

/** However many ask at once, one refresh. */
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
    const pair = await tell("/auth/refresh", { refresh_token: was });
    // Signed out meanwhile, or rotated by another tab.
    if (sessionStorage.getItem(tokenKey) !== was) return;
    keep(pair);
    otherTabs.postMessage({ was, pair });
  } catch (error) {
    // Else it may well work later; and another session may have begun by now.
    if (error instanceof ApiProblem && error.status === 401 && sessionStorage.getItem(tokenKey) === was) {
      forget();
      onSessionEnd();
    }
    throw error;
  }
}

/**
 * Answers a path of the API, under its prefix. Throws an ApiProblem.
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
    // Refreshed meanwhile by another call, or to be refreshed: whatever the clock here says.
    if (session?.accessToken === token) await refresh();
    return send(method, path, request, await freshToken());
  }
}

/**
 * The answer's JSON; undefined when there is none. Throws an ApiProblem.
 * @param {string} method
 * @param {string} path
 * @param {Request} [options]
 * @returns {Promise<any>}
 */
export async function call(method, path, options) {
  return jsonOf(await request(method, path, options));
}

/** @param {Response} response */
const jsonOf = (response) => (response.status === 204 ? undefined : whole(response.json()));

/**
 * What is read of an answer. Throws an ApiProblem when it breaks off, or isn't the service's.
 * @template Body
 * @param {Promise<Body>} body
 * @returns {Promise<Body>}
 */
export const whole = (body) =>
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
const tell = async (path, body) => jsonOf(await send("POST", path, { body }));

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
    signal: signal ?? AbortSignal.timeout(patienceMs),
  }).catch(() => {
    throw unreachable();
  });
  if (response.ok) return response;
  throw new ApiProblem(
    await response.json().catch(() => ({
      status: response.status,
      code: "unavailable",
      detail: "The service can't answer just now. Please try again in a moment.",
    })),
  );
}
