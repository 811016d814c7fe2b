// The driver, postgres.js 3.4.9, with four faults of its own mended as it is loaded, and made quicker.
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
// The third fault: a statement that can't be written, as one with an undefined value, stays in the queue of its connection
// if others are under way, one of which is rejected in its place; the connection waits for its answer for ever. The mend:
// it is rejected itself, and leaves.
//
// The fourth fault: a statement whose table has changed since it was prepared is prepared anew while others are under way
// on its connection; those are given its columns, it is given their rows, and the connection may wait for ever. The mend:
// it is asked again as if for the first time, for which it has the connection to itself. And if it is the commit itself that
// the server no longer knows, the transaction has failed: a commit that is asked for again is answered by a rollback, which
// the driver takes for a commit. The mend: it is an error.
//
// Lighter: a transaction that waits for something else keeps no snapshot, which would hold up vacuum.
//
// Quicker:
//  - `begin` travels with what follows it, and `commit` with the statement before it, where `last` has told that it is the
//    last, which saves two round trips. What a transaction asks for in one packet is answered in one; after an error
//    PostgreSQL passes over the rest of the packet.
//  - The text of a statement is put together once for each way in which its templates and types come.
//  - Messages are made in one buffer, and copied twice until they are sent, not five times.
//  - Objects have methods where the driver makes functions for each: such functions, and all that they reach, outlive
//    several collections after their query is answered (measured: an eighth of all that placing orders allocates was kept
//    so, and is a twentieth now).
//
// Known upstream as porsager/postgres issues 1066, 1154, 1208; pull requests 1168 and 1209 mend a part. This file can
// go, and `db.ts` import "postgres" itself, when test/connections.test.ts passes without it.
import { registerHooks } from "node:module";

const mends: Record<string, [was: string, is: string][]> = {
  "/postgres/src/bytes.js": [
    // One buffer for the making of every message, and of each a copy as long as it is.
    [`const size = 256`, `const size = 65536`],
    [
      `const length = Buffer.byteLength(x)
    fit(length)
    b.i += buffer.write(x, b.i, length, 'utf8')`,
      `fit(x.length < 10_000 ? 3 * x.length : Buffer.byteLength(x))
    b.i += buffer.write(x, b.i)`,
    ],
    [
      `const out = buffer.subarray(0, b.i)
    b.i = 0
    buffer = Buffer.allocUnsafe(size)`,
      `const out = Buffer.from(buffer.subarray(0, b.i))
    b.i = 0
    buffer.length === size || (buffer = Buffer.allocUnsafe(size))`,
    ],
  ],
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

  peek() {
    return this.xs[0]
  }
}`,
    ],
  ],
  "/postgres/src/types.js": [
    // What a statement says, found by its templates and the types of what is put into them, one step for each. To put the
    // same text together each time, and to look up by it whether it is prepared, took longer than all else of sending it.
    [
      `export function handleValue(`,
      `class Wording {
  next = new Map()
  string
  signature

  to(step) {
    let next = this.next.get(step)
    next || this.next.set(step, next = new Wording())
    return next
  }
}

const wordings = new Wording()

export function findWording(q, parameters, types, options, wording = wordings) {
  if (!q.tagged)
    return
  wording = wording.to(q.strings)
  for (const arg of q.args) {
    if (arg instanceof Query) {
      q.fragment = true
      wording = findWording(arg, parameters, types, options, wording)
      if (!wording)
        return
    } else if (arg instanceof Builder || arg instanceof Identifier || (arg && arg[0] instanceof Query)) {
      return
    } else {
      const count = addValue(arg, parameters, types, options)
      wording = wording.to(types[count - 1])
    }
  }
  return wording
}

export function handleValue(x, parameters, types, options) {
  return '$' + addValue(x, parameters, types, options)
}

function addValue(`,
    ],
    [`return '$' + (types.push(`, `return (types.push(`],
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
    // With a getter that has a computed name the class is a dictionary to V8, which compiles its constructor twenty times a
    // second and throws the code away.
    [
      `static get [Symbol.species]() {
    return Promise
  }`,
      `static [Symbol.species] = Promise`,
    ],
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
    this.rejected = true
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
    // What is asked for in one go leaves in one packet, however long it is: a system call costs more than copying. And within
    // a transaction it has one Sync, at its end: at each PostgreSQL sends what it has. Before it the portal is closed, for
    // its snapshot would keep vacuum from what died since, for as long as the transaction then waits for a provider.
    [
      `chunk = chunk ? Buffer.concat([chunk, x]) : Buffer.from(x)
    if (fn || chunk.length >= 1024)`,
      `chunk ? chunk.push(x) : chunk = [x]
    if (fn)`,
    ],
    [
      `const x = socket.write(chunk, fn)`,
      `const x = socket.write(chunk.length === 1 ? chunk[0] : Buffer.concat(chunk), fn)`,
    ],
    [
      `, ExecuteUnnamed = Buffer.concat([b().E().str(b.N).i32(0).end(), Sync])`,
      `, ExecuteUnnamed = b().E().str(b.N).i32(0).end()
    , EndOfPacket = Buffer.concat([b().C().str('P' + b.N).end(), Sync])`,
    ],
    [`import { stringify,`, `import { findWording, stringify,`],
    [
      `const parameters = []
        , types = []

    const string = stringify(q, q.strings[0], q.args[0], parameters, types, options)`,
      `let parameters, types

    const wording = findWording(q, parameters = [], types = [], options)
    const string = wording?.string
      ?? stringify(q, q.strings[0], q.args[0], parameters = [], types = [], options)
    if (wording && !wording.string)
      Object.assign(wording, { string, signature: types + string })`,
    ],
    [
      `q.signature = q.prepare && types + string`,
      `q.signature = q.prepare && (wording ? wording.signature : types + string)`,
    ],
    [`, final = null\n\n  const connection`, `, final = null\n    , latest = null\n\n  const connection`],
    [
      `sent.length === 0 && write(Sync)
      errored(error)`,
      `if (query !== q) {
        sent.pop()
        queryError(q, error)
        return true
      }
      write(Sync)
      errored(error)`,
    ],
    [
      `return write(toBuffer(q))`,
      `const message = toBuffer(q)
      if (!q.options.simple && chunk?.at(-1) === EndOfPacket && connection.reserved?.transaction) {
        chunk.pop()
        latest.joined = true
      }
      latest = q
      write(message)
      return (q.options.simple || q.describeFirst || q.cursorFn || write(EndOfPacket))`,
    ],
    [
      `(write(prepared(query)), query.describeFirst = false)`,
      `(write(prepared(query)), write(EndOfPacket), query.describeFirst = false)`,
    ],
    [
      `if (query.options.simple)
      return BindComplete()`,
      `if (query.joined) {
      query.resolve(results || result)
      results = null
      result = new Result()
      return nextJoined()
    }

    if (query.options.simple)
      return BindComplete()`,
    ],
    [
      `function CloseComplete() {`,
      `function CloseComplete() {
    if (!query.cursorFn)
      return
`,
    ],
    [
      `function ParseComplete() {`,
      `function nextJoined() {
    query = sent.shift()
    query.active = true
  }

  function ParseComplete() {`,
    ],
    // Asked again as if for the first time, unnamed: another connection may have prepared it for the old table too. A `begin`
    // has no values, so that nothing need be told of it first, and stays here.
    [
      `q.retried = error
    execute(q)`,
      `q.retried = error
    q.options = { ...q.options, prepare: false }
    ;(q.handler || execute)(q)`,
    ],
    // After an error PostgreSQL passes over all up to the next Sync: what was joined to what failed fails with it.
    [
      `(query.cursorFn || query.describeFirst) && write(Sync)
      errorResponse = Errors.postgres(parseError(x))`,
      `errorResponse = Errors.postgres(parseError(x))
      for (; query.joined; nextJoined()) {
        retryRoutines.has(errorResponse.routine) && delete statements[query.signature]
        errored(errorResponse)
        sent.peek().retried = errorResponse
      }
      ;(query.cursorFn || query.describeFirst) && write(Sync)`,
    ],
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
    [`let savepoints = 0`, `let lost = null, began, own, commit = null, savepoints = 0`],
    [
      `await sql.unsafe('begin ' + options.replace(/[^a-z ]/ig, ''), [], { onexecute }).execute()`,
      `await new Promise((resolve, reject) => {
        began = resolve
        handler(new Plain('begin ' + options.replace(/[^a-z ]/ig, ''), {
          onexecute,
          resolve() {},
          reject(e) { reject(lost = lost || e) }
        }))
      })`,
    ],
    [
      `function Postgres(a, b) {`,
      // As little of a query as the driver asks for: nobody reads what it gives. A commit after a statement that failed here,
      // of which PostgreSQL knows nothing, is a rollback. The getter is the class's: one for each object would give each a
      // hidden class, which is old from birth and keeps all that the getter reaches until the old are collected.
      `class Plain {
  args = []
  origin = ''

  constructor(text, { onexecute, resolve, reject, after }) {
    this.text = text
    this.options = { prepare: true, onexecute }
    this.resolve = resolve
    this.reject = reject
    this.after = after
  }

  get strings() {
    return [this.after?.rejected ? 'rollback' : this.text]
  }
}

function Postgres(a, b) {`,
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
    // A commit that was passed over has left the transaction open; after any other the connection may be somebody else's.
    [
      `: sql\`rollback\``,
      `: !commit
          ? sql\`rollback\`
          : commit.catch(() => c.reserved === own && (commit = sql\`rollback\`))`,
    ],
    [
      `c.reserved = () => queries.length
        ? c.execute(queries.shift())
        : move(c, reserved)
    }
  }`,
      `c.reserved = own = () => queries.length
        ? c.execute(queries.shift())
        : move(c, reserved)
      own.transaction = true
    }
  }`,
    ],
    // PostgreSQL answers the commit of a transaction that has failed by a rollback, and by no error.
    [
      `: await sql\`commit\``,
      `: await (commit || sql\`commit\`).then(({ command }) => {
            if (command !== 'COMMIT')
              throw Errors.generic('TRANSACTION_ROLLED_BACK', 'The transaction had failed, and was rolled back')
          })`,
    ],
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
        if (sql.last && !commit) {
          commit = new Promise((resolve, reject) => {
            const end = new Plain('commit', { resolve, reject, after: q })
            c.queue === full ? queries.push(end) : c.execute(end)
          })
          commit.catch(() => {})
        }`,
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
