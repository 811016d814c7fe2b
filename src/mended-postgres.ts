// The driver, postgres.js 3.4.9, with two faults of its own mended as it is loaded, and made quicker.
//
// The first fault: when the server cuts a connection (a terminated backend, a restart), the driver forgets the socket but
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
// The second fault: a queue that is never empty, as that of the connections of a pool with some to spare, keeps a place
// for all that was ever taken from it, and looks through all of them: each query takes longer than the one before. The
// mend: what is taken leaves.
//
// Quicker: `begin` travels with what follows it, and `commit` with the statement before it, where `last` has told that it
// is the last, which saves two round trips. A `begin` that is refused loses its transaction, as a cut connection does; what
// travelled with it is then a transaction of its own, so it should be a lock or a read. And objects have methods where the
// driver makes functions for each: such functions, and all that they reach, outlive several collections after their
// query is answered (measured: an eighth of all that placing orders allocates was kept so, and is a twentieth now).
//
// Known upstream as porsager/postgres issues 1066, 1154, 1208; pull requests 1168 and 1209 mend a part. This file can
// go, and `db.ts` import "postgres" itself, when test/connections.test.ts passes without it.
import { registerHooks } from "node:module";

const mends: Record<string, [was: string, is: string][]> = {
  "/postgres/src/queue.js": [
    [
      `let xs = initial.slice()
  let index = 0

  return {
    get length() {
      return xs.length - index
    },
    remove: (x) => {
      const index = xs.indexOf(x)
      return index === -1
        ? null
        : (xs.splice(index, 1), x)
    },
    push: (x) => (xs.push(x), x),
    shift: () => {
      const out = xs[index++]

      if (index === xs.length) {
        index = 0
        xs = []
      } else {
        xs[index - 1] = undefined
      }

      return out
    }
  }
}`,
      `return new Items(initial.slice())
}

class Items {
  constructor(xs) {
    this.xs = xs
  }

  get length() {
    return this.xs.length
  }

  remove(x) {
    const index = this.xs.indexOf(x)
    return index === -1
      ? null
      : (this.xs.splice(index, 1), x)
  }

  push(x) {
    this.xs.push(x)
    return x
  }

  shift() {
    return this.xs.shift()
  }

  pop() {
    return this.xs.pop()
  }
}`,
    ],
  ],
  "/postgres/src/result.js": [
    // Each query has two, and to define properties one by one took longer than all else of making them.
    [
      `constructor() {
    super()
    Object.defineProperties(this, {
      count: { value: null, writable: true },
      state: { value: null, writable: true },
      command: { value: null, writable: true },
      columns: { value: null, writable: true },
      statement: { value: null, writable: true }
    })
  }
`,
      ["count", "state", "command", "columns", "statement"]
        .map(
          (name) => `#${name} = null
  get ${name}() { return this.#${name} }
  set ${name}(value) { this.#${name} = value }
`,
        )
        .join("\n  "),
    ],
  ],
  "/postgres/src/query.js": [
    [
      `this.resolve = x => (this.active = false, resolve(x))
    this.reject = x => (this.active = false, reject(x))`,
      `this.settle = { resolve, reject }`,
    ],
    [
      `get origin() {`,
      `resolve(x) {
    this.active = false
    this.settle.resolve(x)
  }

  reject(x) {
    this.active = false
    this.settle.reject(x)
  }

  get origin() {`,
    ],
  ],
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
    // What is asked for in one go leaves in one packet, however long it is: a system call costs more than copying.
    [`if (fn || chunk.length >= 1024)`, `if (fn || chunk.length >= 65536)`],
  ],
  "/postgres/src/index.js": [
    // Helpers that nothing here uses.
    [
      `Object.entries(options.types).reduce((acc, [name, type]) => {
      acc[name] = (x) => new Parameter(x, type.to)
      return acc
    }, typed)

    Object.assign(sql, {
      types: typed,
      typed,
      unsafe,
      notify,
      array,
      json,
      file
    })`,
      `Object.assign(sql, { unsafe, notify, array, json })`,
    ],
    [`let savepoints = 0`, `let lost = null, began, commit = null, savepoints = 0`],
    [
      `await sql.unsafe('begin ' + options.replace(/[^a-z ]/ig, ''), [], { onexecute }).execute()`,
      `const begin = sql.unsafe('begin ' + options.replace(/[^a-z ]/ig, ''), [], { onexecute }).execute()
      begin.catch(e => lost = lost || e)
      await Promise.race([new Promise(resolve => began = resolve), begin])`,
    ],
    [
      `connection = c
      move(c, reserved)`,
      `connection = c
      began()
      move(c, reserved)`,
    ],
    // The connection that rested least, for its backend has the most of what it needs at hand.
    [`return go(open.shift(), query)`, `return go(open.pop(), query)`],
    // A connection that has just begun takes the transaction's next statements, and nobody else's.
    [
      `return c.execute(query)
      ? move(c, busy)`,
      `const ready = c.execute(query)
    return c.reserved
      ? move(c, reserved)
      : ready
      ? move(c, busy)`,
    ],
    [
      `ready
      ? move(c, busy)
      : move(c, full)
  }

  function onclose`,
      `c.reserved
      ? move(c, reserved)
      : ready
      ? move(c, busy)
      : move(c, full)
  }

  function onclose`,
    ],
    [
      `sql.savepoint = savepoint
      sql.prepare = x => prepare = x.replace(/[^a-z0-9$-_. ]/gi)`,
      `sql.last = false`,
    ],
    [`await (name\n          ? sql`, `commit || await (name\n          ? sql`],
    [`: await sql\`commit\``, `: await (commit || sql\`commit\`)`],
    [
      `new Promise((_, reject) => connection.onclose = reject)`,
      `new Promise((_, reject) => connection.onclose = (e) => reject(lost = e))`,
    ],
    [
      `q.catch(e => uncaughtError || (uncaughtError = e))`,
      `q.catch(e => uncaughtError || (uncaughtError = e))
        if (lost || (commit && q !== commit))
          return q.reject(lost || Errors.generic('TRANSACTION_ENDED', 'The transaction has ended'))`,
    ],
    [
      `? queries.push(q)
          : c.execute(q) || move(c, full)`,
      `? queries.push(q)
          : c.execute(q) || move(c, full)
        if (sql.last && !commit)
          commit = sql\`commit\`.execute()`,
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
