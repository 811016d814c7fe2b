// Who may place an order now, and who waits.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createAdmission } from "../src/checkout/limiter.ts";

const places = 2;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Two placements that run, and `waiting` more; `begun` counts those that have begun. */
function crowd(waiting: number) {
  const admission = createAdmission(places);
  const finish: (() => void)[] = [];
  let begun = 0;
  const place = () => {
    const placed = admission.run(() => {
      begun++;
      return new Promise<void>((resolve) => finish.push(resolve));
    });
    placed.catch(() => {});
    return placed;
  };
  const placed = Array.from({ length: places + waiting }, place);
  return { admission, finish, begun: () => begun, place, placed };
}

describe("a place at the counter", () => {
  it("lets those who waited begin apart, when many places are left at once", async () => {
    const { admission, finish, begun } = crowd(2);
    await vi.advanceTimersByTimeAsync(200);
    for (const end of finish.splice(0)) end();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun()).toBe(places + 1);
    expect(admission.inFlight()).toBe(1);
    await vi.advanceTimersByTimeAsync(5);
    expect(begun()).toBe(places + 2);
    expect(admission.inFlight()).toBe(2);
  });

  it("lets them begin at once when placing is quick", async () => {
    const { finish, begun } = crowd(2);
    await vi.advanceTimersByTimeAsync(2);
    for (const end of finish.splice(0)) end();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun()).toBe(places + 2);
  });

  it("lets them begin at once again as soon as placing is quick again", async () => {
    const { admission, finish, begun, place } = crowd(2);
    await vi.advanceTimersByTimeAsync(200);
    for (const end of finish.splice(0)) end();
    await vi.advanceTimersByTimeAsync(1);
    expect(begun()).toBe(places + 1);
    finish.splice(0)[0]!();
    place();
    await vi.advanceTimersByTimeAsync(4);
    expect(begun()).toBe(places + 3);
    expect(admission.inFlight()).toBe(2);
  });

  it("gives nobody who has just come the place that somebody waits for", async () => {
    const { finish, begun, place } = crowd(2);
    await vi.advanceTimersByTimeAsync(200);
    for (const end of finish.splice(0)) end();
    await vi.advanceTimersByTimeAsync(0);
    place();
    await vi.advanceTimersByTimeAsync(4);
    expect(begun()).toBe(places + 1);
    await vi.advanceTimersByTimeAsync(1);
    expect(begun()).toBe(places + 2);
    finish.splice(0)[0]!();
    await vi.advanceTimersByTimeAsync(5);
    expect(begun()).toBe(places + 3);
  });

  it("refuses who waits for a second, and gives his place to the next", async () => {
    const { admission, finish, begun, place, placed } = crowd(1);
    const refused = expect(placed[2]).rejects.toMatchObject({ code: "checkout_busy" });
    await vi.advanceTimersByTimeAsync(1_000);
    await refused;
    place();
    for (const end of finish.splice(0)) end();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun()).toBe(places + 1);
    for (const end of finish.splice(0)) end();
    await vi.advanceTimersByTimeAsync(0);
    expect(admission.inFlight()).toBe(0);
  });

  it("lets as many wait as there are places while those before them begin apart", async () => {
    const { admission, finish, begun, place } = crowd(places);
    await vi.advanceTimersByTimeAsync(200);
    for (const end of finish.splice(0)) end();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun()).toBe(places + 1);
    const accepted = [place(), place()];
    await expect(place()).rejects.toMatchObject({ code: "checkout_busy" });
    await vi.advanceTimersByTimeAsync(5);
    for (let round = 0; round < 2; round++) {
      for (const end of finish.splice(0)) end();
      await vi.advanceTimersByTimeAsync(5);
    }
    for (const end of finish.splice(0)) end();
    await Promise.all(accepted);
    expect(admission.inFlight()).toBe(0);
  });

  it("lets in who has waited for a second when a place is free for him", async () => {
    const { admission, finish, begun, placed } = crowd(2);
    await vi.advanceTimersByTimeAsync(998);
    for (const end of finish.splice(0)) end();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun()).toBe(places + 1);
    await vi.advanceTimersByTimeAsync(2);
    expect(begun()).toBe(places + 2);
    for (const end of finish.splice(0)) end();
    await Promise.all(placed);
    expect(admission.inFlight()).toBe(0);
  });

  it("refuses at once whoever finds as many waiting as there are places", async () => {
    const { place } = crowd(places);
    await expect(place()).rejects.toMatchObject({ code: "checkout_busy" });
  });
});
