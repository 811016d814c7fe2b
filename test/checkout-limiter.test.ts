// At most so many placements run at once, and as many again wait for a second.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createCheckoutLimiter } from "../src/checkout/limiter.ts";

const slots = 2;
const busy = { code: "checkout_busy" };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A limiter and placements that run until the test ends them; `begun` names those that have begun, in order. */
function setUp() {
  const limiter = createCheckoutLimiter(slots);
  const begun: string[] = [];
  const ends = new Map<string, { succeed: () => void; fail: (error: Error) => void }>();
  const place = (name: string) => {
    const placed = limiter.run(() => {
      begun.push(name);
      return new Promise<string>((resolve, reject) =>
        ends.set(name, { succeed: () => resolve(name), fail: reject }),
      );
    });
    placed.catch(() => {});
    return placed;
  };
  const end = async (name: string) => {
    ends.get(name)!.succeed();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { begun, ends, place, end };
}

describe("the checkout limiter", () => {
  test("runs as many placements as it has slots and returns their results", async () => {
    const { begun, place, end } = setUp();
    const [a] = [place("a"), place("b"), place("c")];
    await vi.advanceTimersByTimeAsync(500);
    expect(begun).toEqual(["a", "b"]);
    await end("a");
    expect(await a).toBe("a");
    expect(begun).toEqual(["a", "b", "c"]);
  });

  test("lets waiting placements begin in the order in which they came", async () => {
    const { begun, place, end } = setUp();
    for (const name of ["a", "b", "c", "d"]) place(name);
    await vi.advanceTimersByTimeAsync(0);
    await end("b");
    await end("a");
    expect(begun).toEqual(["a", "b", "c", "d"]);
  });

  test("does not let a new placement overtake a waiting one", async () => {
    const { begun, place, end } = setUp();
    for (const name of ["a", "b", "c"]) place(name);
    await vi.advanceTimersByTimeAsync(0);
    await end("a");
    place("new");
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toEqual(["a", "b", "c"]);
    await end("b");
    expect(begun).toEqual(["a", "b", "c", "new"]);
  });

  test("rejects at once when as many wait as there are slots", async () => {
    const { begun, place } = setUp();
    for (const name of ["a", "b", "c", "d"]) place(name);
    await expect(place("e")).rejects.toMatchObject(busy);
    expect(begun).toEqual(["a", "b"]);
  });

  test("rejects after a second of waiting, and the place in the queue is free again", async () => {
    const { begun, place, end } = setUp();
    const [, , c, d] = [place("a"), place("b"), place("c"), place("d")];
    await vi.advanceTimersByTimeAsync(999);
    await end("a");
    const rejected = expect(d).rejects.toMatchObject(busy);
    await vi.advanceTimersByTimeAsync(1);
    await rejected;
    place("e");
    await end("b");
    expect(begun).toEqual(["a", "b", "c", "e"]);
    await end("c");
    expect(await c).toBe("c");
  });

  test("frees the slot of a placement that fails", async () => {
    const { begun, ends, place } = setUp();
    const [a] = [place("a"), place("b"), place("c")];
    await vi.advanceTimersByTimeAsync(0);
    ends.get("a")!.fail(new Error("declined"));
    await expect(a).rejects.toThrow("declined");
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toEqual(["a", "b", "c"]);
  });
});
