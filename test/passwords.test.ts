import { type AddressInfo, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import argon2 from "argon2";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { hashPassword, passwordMatches } from "../src/auth/passwords.ts";
import { makeUser } from "./factories.ts";
import { eventually, expectProblem, testShop } from "./harness.ts";

let hash: string;
beforeAll(async () => {
  hash = await hashPassword("correct horse");
});

describe("a password", () => {
  test("is stored as an argon2id hash of 19 MiB and two passes, each with a salt of its own", async () => {
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,(t=2,p=1|p=1,t=2)\$[^$]{22}\$[^$]{43}$/);
    expect(await hashPassword("correct horse")).not.toBe(hash);
  });

  test("matches its hash alone, and no hash at all", async () => {
    expect(await passwordMatches(hash, "correct horse")).toBe(true);
    for (const [other, password] of [
      [hash, "correct hors"],
      [hash, ""],
      [await hashPassword("battery"), "correct horse"],
      [null, "correct horse"],
      [undefined, ""],
    ] as const)
      expect(await passwordMatches(other, password)).toBe(false);
  });

  test("of an unknown user costs the same hash", async () => {
    const verify = vi.spyOn(argon2, "verify");
    await passwordMatches(hash, "correct horse");
    await passwordMatches(undefined, "correct horse");
    const [known, unknown] = verify.mock.calls.map(([digest]) => argon2.needsRehash(digest, { ...cost }));
    expect([known, unknown]).toEqual([false, false]);
    expect(verify.mock.calls[1]![0]).toHaveLength(hash.length);
    verify.mockRestore();
  });

  test("is checked for each of a crowd", async () => {
    const cheap = await argon2.hash("correct horse", { memoryCost: 1_024, timeCost: 1, parallelism: 1 });
    const crowd = Array.from({ length: 20 }, (_, nth) => nth % 2 === 0);
    const matches = crowd.map((right) => passwordMatches(cheap, right ? "correct horse" : "wrong"));
    expect(await Promise.all(matches)).toEqual(crowd);
  });

  test("with a malformed stored hash is an error, and the next one is checked", async () => {
    await expect(passwordMatches("none", "correct horse")).rejects.toThrow();
    expect(await passwordMatches(hash, "correct horse")).toBe(true);
  });
});

const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

describe("the queue for hashes", () => {
  /** Hashes that have begun and not ended: each ends when its function is called. */
  let running: (() => void)[] = [];
  const holdHashes = () => {
    vi.spyOn(argon2, "verify").mockImplementation(
      () => new Promise((resolve) => running.push(() => resolve(true))),
    );
  };
  const begun = () => vi.mocked(argon2.verify).mock.calls.map(([, password]) => password);
  const endAll = async () => {
    for (let end = running.shift(); end; end = running.shift()) {
      end();
      await sleep(0);
    }
  };
  /** Fills every slot; returns how many there are. */
  async function fillSlots() {
    holdHashes();
    const results: Promise<boolean>[] = [];
    do {
      results.push(passwordMatches(hash, `slot ${results.length}`));
      await sleep(0);
    } while (running.length === results.length);
    // The last one waits, and may be rejected before a test looks at it.
    results.at(-1)!.catch(() => {});
    return { slots: running.length, results };
  }
  afterEach(async () => {
    await endAll();
    vi.restoreAllMocks();
    running = [];
  });

  test("runs a few at once, at least one, and the others in their order", async () => {
    const { slots, results } = await fillSlots();
    expect(slots).toBeGreaterThanOrEqual(1);
    expect(slots).toBeLessThanOrEqual(3);
    results.push(passwordMatches(hash, "last but one"), passwordMatches(hash, "last"));
    expect(begun()).toHaveLength(slots);
    running.shift()!();
    await sleep(0);
    expect(begun()).toHaveLength(slots + 1);
    await endAll();
    expect(begun().slice(-3)).toEqual([`slot ${slots}`, "last but one", "last"]);
    expect(new Set(await Promise.all(results))).toEqual(new Set([true]));
  });

  test("rejects after two seconds without hashing, and goes on", async () => {
    const { slots, results } = await fillSlots();
    const began = performance.now();
    const last = results.pop()!;
    await expect(last).rejects.toMatchObject({ code: "unavailable" });
    expect(performance.now() - began).toBeGreaterThan(1_800);
    await endAll();
    await Promise.all(results);
    expect(begun()).toHaveLength(slots);
    const next = passwordMatches(hash, "next");
    await endAll();
    expect(await next).toBe(true);
  });

  test("rejects at once when it is full", async () => {
    const { slots, results } = await fillSlots();
    const waiting = Array.from({ length: 256 * slots - 1 }, () => passwordMatches(hash, "waiting"));
    const began = performance.now();
    await expect(passwordMatches(hash, "one too many")).rejects.toMatchObject({ code: "unavailable" });
    expect(performance.now() - began).toBeLessThan(1_000);
    await endAll();
    await Promise.all([...results, ...waiting]);
    expect(begun()).not.toContain("one too many");
  });

  test("forgets a client that has gone", async () => {
    const { slots, results } = await fillSlots();
    const client = new AbortController();
    const gone = passwordMatches(hash, "gone", client.signal);
    client.abort();
    await expect(gone).rejects.toMatchObject({ code: "unavailable" });
    await expect(passwordMatches(hash, "gone before", client.signal)).rejects.toMatchObject({
      code: "unavailable",
    });
    await endAll();
    await Promise.all(results);
    expect(begun()).toEqual(Array.from({ length: slots + 1 }, (_, nth) => `slot ${nth}`));
    // Every slot is free again.
    expect((await fillSlots()).slots).toBe(slots);
  });

  describe("of a shop", () => {
    const shop = testShop();

    test("makes a sign-in 503 with Retry-After, uncounted as a wrong guess", async () => {
      const { email, password } = await makeUser(shop.sql);
      const signIn = () => shop.call("POST", "/auth/token", { body: { username: email, password } });
      await fillSlots();
      for (const response of await Promise.all(Array.from({ length: 12 }, signIn))) {
        expectProblem(response, 503, "unavailable");
        expect(response.headers["retry-after"]).toBe("2");
      }
      await endAll();
      vi.restoreAllMocks();
      expect((await signIn()).statusCode).toBe(200);
    });

    test.each([
      ["/auth/token", { username: "gone@example.com", password: "gone horse" }],
      ["/auth/signup", { email: "gone@example.com", password: "gone horse" }],
    ])("hashes nothing at %s for a client that disconnects", async (path, body) => {
      if (!shop.app.server.listening) await shop.app.listen({ port: 0 });
      const { port } = shop.app.server.address() as AddressInfo;
      const { results } = await fillSlots();
      const made = vi.spyOn(argon2, "hash");
      const closed = vi.fn();
      shop.app.server.once("request", (_request, response) => response.once("close", closed));
      const json = JSON.stringify(body);
      const socket = connect(port, "127.0.0.1");
      socket.write(
        `POST /api/v1${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${json.length}\r\n\r\n${json}`,
      );
      await sleep(300);
      expect(closed).not.toHaveBeenCalled();
      socket.destroy();
      await eventually(() => closed.mock.calls.length > 0);
      await endAll();
      await Promise.all(results);
      expect(begun()).not.toContain("gone horse");
      expect(made).not.toHaveBeenCalled();
    });
  });
});
