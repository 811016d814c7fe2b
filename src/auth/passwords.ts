import argon2 from "argon2";

// OWASP's argon2id at 19 MiB: what a sign-in costs us is what each guess at a stolen hash costs.
const cost = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

export const hashPassword = (password: string) => argon2.hash(password, cost);

// Nobody's password: verified against when there is no account, so that an unknown email takes as long as a known one.
const nobodysHash = hashPassword(crypto.randomUUID());

/** Whether `password` is the one of `hash`; the same work, and false, when there is no hash. */
export async function passwordMatches(hash: string | null | undefined, password: string): Promise<boolean> {
  const matches = await argon2.verify(hash ?? (await nobodysHash), password);
  return matches && hash != null;
}
