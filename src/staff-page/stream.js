// Server-sent events over fetch, because EventSource sends no token. Reconnects with the last event's id.
import { ApiProblem, request } from "./api.js";

/** The service sends a comment every 15 s; after twice that the connection is dead. */
const silenceMs = 35_000;
/** Between attempts: the first at once, the next ones spaced for a service that starts. */
const waitsMs = [500, 1_000, 2_000, 4_000, 8_000];
/** A stream that ended sooner did not end at its token's expiry. */
const shortMs = 1_000;

/** @typedef {{ type: string, id: string | undefined, data: any }} Message */
/** @typedef {"connecting" | "live" | "lost" | "refused"} StreamState `refused`: it is not tried again */

/**
 * Follows a stream of the API. Returns the function that stops it.
 * @param {string} path
 * @param {(message: Message) => void} onMessage
 * @param {(state: StreamState) => void} onState
 * @returns {() => void}
 */
export function follow(path, onMessage, onState) {
  let stopped = false;
  let failures = 0;
  /** @type {string | undefined} */
  let lastId;
  let heardAt = Date.now();
  let connection = new AbortController();
  let wake = () => {};

  async function run() {
    onState("connecting");
    while (!stopped) {
      const openedAt = Date.now();
      connection = new AbortController();
      try {
        await listen(connection.signal);
        // A regular end: the token has expired, or the service stops. The connection counts as lost only if the next
        // attempt fails.
        if (Date.now() - openedAt < shortMs) failures++;
      } catch (error) {
        // A retry would not help. A new sign-in may.
        if (error instanceof ApiProblem && [400, 403, 404].includes(error.status)) {
          if (!stopped) onState("refused");
          return;
        }
        failures++;
      }
      if (stopped) return;
      if (failures > 0) {
        onState("lost");
        await rest(waitsMs[Math.min(failures, waitsMs.length) - 1] ?? 0);
      }
    }
  }

  /** @param {AbortSignal} signal */
  async function listen(signal) {
    heardAt = Date.now();
    /** @type {Record<string, string>} */
    const headers = { accept: "text/event-stream", ...(lastId && { "last-event-id": lastId }) };
    const response = await request("GET", path, { headers, signal });
    const reader = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (response.body)
      .pipeThrough(new TextDecoderStream())
      .getReader();
    for (let text = ""; ; ) {
      const { done, value } = await reader.read();
      if (done || stopped) return;
      heardAt = Date.now();
      failures = 0;
      onState("live");
      const frames = (text + value).split("\n\n");
      text = frames.pop() ?? "";
      for (const frame of frames) {
        const message = parse(frame);
        if (!message) continue;
        lastId = message.id ?? lastId;
        onMessage(message);
      }
    }
  }

  /** @param {number} ms */
  const rest = (ms) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });

  function checkSilence() {
    if (Date.now() - heardAt > silenceMs) connection.abort();
  }
  const watch = setInterval(checkSilence, 1_000);
  /** A tablet that wakes up or is online again retries at once. */
  function lookUp() {
    if (document.visibilityState === "hidden") return;
    checkSilence();
    wake();
  }
  addEventListener("online", lookUp);
  document.addEventListener("visibilitychange", lookUp);
  void run();

  return () => {
    stopped = true;
    clearInterval(watch);
    removeEventListener("online", lookUp);
    document.removeEventListener("visibilitychange", lookUp);
    connection.abort();
    wake();
  };
}

/**
 * Parses a frame. Returns undefined for a frame without data, such as a heartbeat.
 * @param {string} frame
 * @returns {Message | undefined}
 */
function parse(frame) {
  /** @type {Record<string, string>} */
  const fields = {};
  for (const line of frame.split("\n")) {
    const [, name, value = ""] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name) fields[name] = value;
  }
  const { event = "message", id, data } = fields;
  return data === undefined ? undefined : { type: event, id, data: JSON.parse(data) };
}
