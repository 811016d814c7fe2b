// The driver, postgres.js 3.4.9, with a fault of its own mended as it is loaded.
//
// The fault: when the server cuts a connection (a terminated backend, a restart), the driver forgets the socket but
// lets whoever holds a transaction on that connection go on using it. What follows is one of these:
//  - a write to the forgotten socket: an uncaught TypeError "reading 'write'", which kills the process;
//  - a write that was buffered and then neither sent nor dropped: the connection can never send again, and the pool
//    is one smaller for good;
//  - a statement left in the queue, to which the next connection's first answer is given: every answer is one off;
//  - the reason for the cut, remembered: it is given to the first statement of the next connection;
//  - a statement of the lost transaction, its `rollback` too, run inside the next transaction on that connection,
//    which is somebody else's.
// The mend: a lost connection forgets what was buffered and rejects all that was waiting, and a transaction whose
// connection was lost stays lost: each further statement is rejected with CONNECTION_CLOSED.
//
// Known upstream as porsager/postgres issues 1066, 1154, 1208; pull requests 1168 and 1209 mend a part. This file can
// go, and `db.ts` import "postgres" itself, when test/connections.test.ts passes without it.
import { registerHooks } from "node:module";

const mends: Record<string, [was: string, is: string][]> = {
  "/postgres/src/connection.js": [
    [
      `clearImmediate(nextWriteTimer)
    socket.removeListener('data', data)`,
      `clearImmediate(nextWriteTimer)
    chunk = nextWriteTimer = null
    socket.removeListener('data', data)`,
    ],
    [
      `!hadError && (query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))`,
      `;(query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))
    query = errorResponse = null`,
    ],
    [
      `function nextWrite(fn) {`,
      `function nextWrite(fn) {
    if (socket === null) {
      chunk = nextWriteTimer = null
      return true
    }`,
    ],
  ],
  "/postgres/src/index.js": [
    [`let savepoints = 0`, `let lost = null, savepoints = 0`],
    [
      `new Promise((_, reject) => connection.onclose = reject)`,
      `new Promise((_, reject) => connection.onclose = (e) => reject(lost = e))`,
    ],
    [
      `q.catch(e => uncaughtError || (uncaughtError = e))`,
      `q.catch(e => uncaughtError || (uncaughtError = e))
        if (lost)
          return q.reject(lost)`,
    ],
  ],
};

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const file = Object.keys(mends).find((name) => url.endsWith(name));
    if (!file) return loaded;
    let source = String(loaded.source);
    for (const [was, is] of mends[file]!) {
      // Another version of the driver must be looked at, not patched blindly.
      if (source.split(was).length !== 2) throw new Error(`${file} is not the version that is mended here`);
      source = source.replace(was, () => is);
    }
    return { ...loaded, source };
  },
});

export const { default: postgres } = await import("postgres");
