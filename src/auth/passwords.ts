import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import argon2 from "argon2";
import { ApiError } from "../http/errors.ts";

// OWASP's argon2id at 19 MiB. A sign-in costs as much as one guess at a stolen hash.
const cost = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

// argon2 runs on libuv's thread pool of four. One core stays free for the event loop, one thread for DNS and files.
const slots = Math.min(3, Math.max(1, availableParallelism() - 1));
const maxQueued = 256 * slots;
const maxWaitMs = 2_000;

let free = slots;
const queue = new Set<() => void>();

/** Throws `unavailable` if the queue is full, after two seconds in it, and if `signal` aborts before the start. */
async function inSlot<T>(hash: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal?.aborted) throw clientGone();
  if (free > 0) free--;
  else await waitForSlot(signal);
  try {
    return await hash();
  } finally {
    const [start] = queue;
    // The slot passes directly to the oldest in the queue, so that a new request can't overtake it.
    if (start && queue.delete(start)) start();
    else free++;
  }
}

async function waitForSlot(signal?: AbortSignal) {
  if (queue.size >= maxQueued) throw tooManySignIns();
  await new Promise<void>((start, reject) => {
    const leave = (error: () => ApiError) => {
      if (queue.delete(start)) reject(error());
    };
    setTimeout(leave, maxWaitMs, tooManySignIns).unref();
    signal?.addEventListener("abort", () => leave(clientGone), { once: true });
    queue.add(start);
  });
}

const clientGone = () => new ApiError("unavailable", "The client closed the connection");
const tooManySignIns = () =>
  new ApiError("unavailable", "Too many sign-ins at once; please try again", { retryAfter: 2 });

/** Returns the hash to store, with its salt and cost in it. Throws `unavailable` as `inSlot` does. */
export const hashPassword = (password: string, signal?: AbortSignal) =>
  inSlot(() => argon2.hash(password, cost), signal);

// Compared with if there is no account, so that an unknown email takes as long. No password is known to match it.
const random = (bytes: number) => randomBytes(bytes).toString("base64").replace(/=+$/, "");
const dummyHash = `$argon2id$v=19$m=${cost.memoryCost},t=${cost.timeCost},p=${cost.parallelism}$${random(16)}$${random(32)}`;

/** Without a hash it does the same work and returns false. Throws if `hash` is malformed, and `unavailable`. */
export async function passwordMatches(
  hash: string | null | undefined,
  password: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const matches = await inSlot(() => argon2.verify(hash ?? dummyHash, password), signal);
  return matches && hash != null;
}
