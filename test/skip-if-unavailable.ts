/**
 * Whether a test must be skipped because this machine lacks what it runs against: said aloud, and an error where
 * REQUIRE_ALL is set. `look` throws when it is missing.
 */
export function missing(what: string, look: () => unknown): boolean {
  try {
    look();
    return false;
  } catch (error) {
    if (process.env.REQUIRE_ALL) throw new Error(`${what} is needed, and isn't here`, { cause: error });
    console.warn(`\n  SKIPPED: ${what} isn't here, and what is tested against it is NOT tested\n`);
    return true;
  }
}
