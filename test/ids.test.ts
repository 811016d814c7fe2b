import { expect, test } from "vitest";
import { newId } from "../src/db/ids.ts";

test("ids are UUIDv7 of now, and each sorts after all that were made before it", () => {
  const before = Date.now();
  const ids = Array.from({ length: 200_000 }, newId);
  const after = Date.now();
  expect(new Set(ids).size).toBe(ids.length);
  // Told in one word, for to show how so many differ would take minutes.
  expect(ids.every((id, nth) => nth === 0 || ids[nth - 1]! < id)).toBe(true);
  for (const id of [ids[0]!, ids.at(-1)!]) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const ms = Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
    expect(ms).toBeGreaterThanOrEqual(before);
    expect(ms).toBeLessThanOrEqual(after);
  }
});
