// A hash costs a core tens of milliseconds. It is made by a process of its own (hashing-process.ts), which only gets time that
// nobody else wants: a crowd that signs in doesn't make those wait who read the menu or order.
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import argon2 from "argon2";

// OWASP's argon2id at 19 MiB: what a sign-in costs us is what each guess at a stolen hash costs.
const cost = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

type Work = { password: string; hash?: string };
export type Question = Work & { id: number };
export type Answer = { id: number } & ({ made: string | boolean } | { error: string });

/** Hashes `password`, or tells whether it is the one of `hash`, in this process; throws when `hash` is none. */
export const workHere = ({ password, hash }: Work): Promise<string | boolean> =>
  hash === undefined ? argon2.hash(password, cost) : argon2.verify(hash, password);

// A hash has a core to itself while it is made. One core is left to those who don't sign in: the rest wait in a row, which
// takes them no longer, for more at once would only make each slower.
const atOnce = Math.max(1, availableParallelism() - 1);
let free = atOnce;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (free > 0) free--;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else free++;
  }
}

let hashing: ChildProcess | undefined;
const unanswered = new Map<number, (answer?: Answer) => void>();
let lastId = 0;

// Started by the first who needs it; it ends with this process. When it dies, those who wait for it hear nothing from it.
function hashingProcess(): ChildProcess {
  if (hashing) return hashing;
  const started = fork(new URL("hashing-process.ts", import.meta.url), {
    execArgv: [],
    // A thread keeps the memory of the hash that it made.
    env: { ...process.env, UV_THREADPOOL_SIZE: `${atOnce}` },
  });
  const dead = () => {
    if (hashing === started) hashing = undefined;
    for (const tell of unanswered.values()) tell();
  };
  started.on("message", (answer: Answer) => unanswered.get(answer.id)?.(answer));
  started.on("error", dead).on("exit", dead);
  started.unref();
  started.channel?.unref();
  hashing = started;
  return started;
}

// A machine that is never idle would let a sign-in wait for minutes. What isn't made within this time is made
// here after all, and so is what follows, until the process has answered what it owes.
const patienceMs = 500;
const late = new Set<number>();

const ask = (work: Work) =>
  new Promise<Answer | undefined>((resolve) => {
    const id = ++lastId;
    const timer = setTimeout(() => {
      late.add(id);
      resolve(undefined);
    }, patienceMs);
    const tell = (answer?: Answer) => {
      unanswered.delete(id);
      late.delete(id);
      clearTimeout(timer);
      resolve(answer);
    };
    unanswered.set(id, tell);
    const asked = hashingProcess();
    if (asked.connected) asked.send({ id, ...work } satisfies Question, (error) => error && tell());
    else tell();
  });

async function make(work: Work): Promise<string | boolean> {
  const answer = late.size > 0 ? undefined : await ask(work);
  if (!answer) return workHere(work);
  if ("error" in answer) throw new Error(answer.error);
  return answer.made;
}

/** The hash to store, with its salt and cost in it; a few tens of milliseconds of a core, in turn. */
export const hashPassword = (password: string) => inTurn(() => make({ password })) as Promise<string>;

// Nobody's password: compared with when there is no account, so that an unknown email takes as long as a known one.
// It only has the form of a hash: that of no password is known to be it.
const random = (bytes: number) => randomBytes(bytes).toString("base64").replace(/=+$/, "");
const nobodysHash = `$argon2id$v=19$m=${cost.memoryCost},t=${cost.timeCost},p=${cost.parallelism}$${random(16)}$${random(32)}`;

/** Whether `password` is the one of `hash`; the same work, and false, when there is no hash. Throws when `hash` is none. */
export async function passwordMatches(hash: string | null | undefined, password: string): Promise<boolean> {
  const matches = await inTurn(() => make({ password, hash: hash ?? nobodysHash }));
  return matches === true && hash != null;
}
