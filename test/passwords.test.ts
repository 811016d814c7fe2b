import type { ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { hashPassword, passwordMatches } from "../src/auth/passwords.ts";

// Those that passwords.ts has started, the last one last.
const started: ChildProcess[] = [];
subscribe("child_process", (message) => started.push((message as { process: ChildProcess }).process));

let hash: string;
beforeAll(async () => {
  hash = await hashPassword("correct horse");
});
afterAll(() => started.at(-1)!.kill("SIGKILL"));

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

  test("is told apart by each of a crowd", async () => {
    const crowd = Array.from({ length: 20 }, (_, nth) => nth % 2 === 0);
    const told = crowd.map((right) => passwordMatches(hash, right ? "correct horse" : "wrong"));
    expect(await Promise.all(told)).toEqual(crowd);
  });

  test("whose stored hash is none is an error, and the next one is answered", async () => {
    await expect(passwordMatches("none", "correct horse")).rejects.toThrow();
    expect(await passwordMatches(hash, "correct horse")).toBe(true);
  });
});

describe("the process that makes hashes", () => {
  const pid = () => started.at(-1)!.pid!;
  /** On a busy machine it may still owe an answer, and isn't asked meanwhile. */
  const owesNothing = () =>
    vi.waitUntil(async () => {
      let answered = false;
      started.at(-1)!.once("message", () => {
        answered = true;
      });
      await passwordMatches(hash, "correct horse");
      return answered;
    }, 30_000);

  test("is one, and runs only when a core is idle, or after everybody else", () => {
    expect(started).toHaveLength(1);
    // Field 41 of Linux' stat is the class, and 5 the idle one; the name before may have blanks.
    const stat = existsSync(`/proc/${pid()}/stat`) ? readFileSync(`/proc/${pid()}/stat`, "utf8") : "";
    const idleClass = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[41 - 3] === "5";
    expect(idleClass || getPriority(pid()) === 19).toBe(true);
  });

  test("holds nobody up when it doesn't get any time, and is asked again when it does", async () => {
    await owesNothing();
    process.kill(pid(), "SIGSTOP");
    expect(await passwordMatches(hash, "correct horse")).toBe(true);
    expect(await passwordMatches(hash, "wrong")).toBe(false);
    process.kill(pid(), "SIGCONT");
    const asked = once(started.at(-1)!, "message");
    expect((await asked)[0]).toMatchObject({ made: true });
    const again = once(started.at(-1)!, "message");
    expect(await passwordMatches(hash, "wrong")).toBe(false);
    expect((await again)[0]).toMatchObject({ made: false });
    expect(started).toHaveLength(1);
  });

  test("goes on when it is told to stop together with the service", async () => {
    process.kill(pid(), "SIGTERM");
    process.kill(pid(), "SIGINT");
    process.kill(pid(), "SIGHUP");
    expect(await passwordMatches(hash, "correct horse")).toBe(true);
    expect(started).toHaveLength(1);
  });

  test("is replaced when it dies, and nobody who waits for it notices", async () => {
    await owesNothing();
    process.kill(pid(), "SIGSTOP");
    const told = Promise.all([passwordMatches(hash, "correct horse"), passwordMatches(hash, "wrong")]);
    process.kill(pid(), "SIGKILL");
    expect(await told).toEqual([true, false]);
    expect(await passwordMatches(hash, "correct horse")).toBe(true);
    expect(started).toHaveLength(2);
  });

  test("ends with who asked it", async () => {
    const { pid: last } = started.at(-1)!;
    started.at(-1)!.disconnect();
    await once(started.at(-1)!, "exit");
    expect(() => process.kill(last!, 0)).toThrow();
    expect(await passwordMatches(hash, "correct horse")).toBe(true);
    expect(started).toHaveLength(3);
  });
});
