import { availableParallelism } from "node:os";
import argon2 from "argon2";

// OWASP's argon2id at 19 MiB: what a sign-in costs us is what each guess at a stolen hash costs.
const cost = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

// A hash has a core to itself while it is made. One core is left to those who don't sign in: the rest wait in a row, which
// takes them no longer, for more at once would only make each slower.
let free = Math.max(1, availableParallelism() - 1);
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

/** The hash to store, with its salt and cost in it; a few tens of milliseconds of a core, in turn. */
export const hashPassword = (password: string) => inTurn(() => argon2.hash(password, cost));

// Nobody's password: verified against when there is no account, so that an unknown email takes as long as a known one.
const nobodysHash = hashPassword(crypto.randomUUID());

/** Whether `password` is the one of `hash`; the same work, and false, when there is no hash. */
export async function passwordMatches(hash: string | null | undefined, password: string): Promise<boolean> {
  const known = hash ?? (await nobodysHash);
  const matches = await inTurn(() => argon2.verify(known, password));
  return matches && hash != null;
}
