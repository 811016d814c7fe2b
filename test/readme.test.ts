// The commands in README, in their order, in one shell, against a fresh `npm start`.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "./harness.ts";
import { killStarted, makeFolder, type Running, removeFolder, start } from "./npm.ts";

/** What is done with the commands of each section. One that is not here fails: nobody would have tried its commands. */
const sections: Record<string, "run" | string> = {
  Ristretto: "npm ci and npm start: what every run of CI begins with, and what this test does",
  "A tour by curl": "run",
};

/** Commands that belong together, with what is said of them. */
interface Paragraph {
  section: string;
  text: string;
}

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
const blocks: Paragraph[] = [];
let section = "";
// A comment in a block looks like a heading: blocks are taken whole.
for (const [, heading, language, text] of readme.matchAll(/^(?:#+ ([^\n]*)|```(\w*)\n(.*?)^```)$/gms)) {
  if (heading !== undefined) section = heading;
  else if (/^(sh|bash|shell|console)$/.test(language!)) blocks.push({ section, text: text! });
}
const paragraphs: Paragraph[] = blocks
  .filter(({ section }) => sections[section] === "run")
  .flatMap(({ section, text }) => text.split(/\n\n+/).map((lines) => ({ section, text: lines })));

// Writes down what each curl was told: a file for its answer's head, one for its body, one for how it ended. What goes
// on for ever is left after two seconds.
const shell = `
set -euo pipefail
curl() {
  local record="$records/$(date +%s%N)" code=0
  case " $* " in *" -N "*) set -- --max-time 2 "$@" ;; esac
  command curl --dump-header "$record.head" "$@" | tee "$record.body" || code=$?
  case " $* " in *" -N "*) [ $code != 28 ] || code=0 ;; esac
  echo "$paragraph $code" >"$record.end"
  return $code
}
`;

interface Answer {
  paragraph: Paragraph;
  code: number;
  status: number;
  body: string;
}

describe.skipIf(!existsSync("/proc"))("README", () => {
  let folder: string;
  let shop: Running;
  beforeAll(async () => {
    folder = await makeFolder();
    shop = await start(folder);
  });
  afterAll(async () => {
    await shop?.stop();
    killStarted();
    await removeFolder(folder);
  });

  test("says of each command where it is tried", () => {
    for (const { section } of blocks) expect(Object.keys(sections)).toContain(section);
    expect(blocks.length).toBeGreaterThanOrEqual(3);
  });

  test("takes the reader on a tour on which every command does what is said", {
    timeout: 60_000,
  }, async () => {
    const script = paragraphs.map(({ text }, nth) => `paragraph=${nth}\n${text}`).join("\n");
    expect(script).toContain("http://localhost:8000");
    const answers = await runInShell(script.replaceAll("http://localhost:8000", shop.address));
    expect(answers.length, "as many as there are lines with curl, and the loop's").toBeGreaterThanOrEqual(15);

    for (const { paragraph, status, code, body } of answers) {
      const said = `${paragraph.text}\n${status} ${body}`;
      const comment = paragraph.text.match(/^#.*$/gm)?.join(" ") ?? "";
      expect(code, said).toBe(0);
      if (/rejected/.test(comment)) expect(status, said).toBeGreaterThanOrEqual(400);
      else expect(status, said).toBeLessThan(300);
    }

    // Each of its stories ended as it is told.
    const bodies = answers.map(({ body }) => body);
    const orders = bodies.filter((body) => /^\{"id":.*"number":/.test(body)).map((body) => JSON.parse(body));
    expect(new Set(orders.map(({ id }) => id)).size).toBe(1);
    expect(orders[0]).toMatchObject({ status: "waiting", payment_status: "paid", total_cents: 700 });
    expect(orders.at(-1)).toMatchObject({ status: "delivered", payment_status: "paid" });
    expect(bodies.filter((body) => body.includes("total_mismatch"))).toHaveLength(1);
    expect(bodies.filter((body) => body.includes('"email":"ann@example.com"')).map(verified)).toEqual([
      false,
      true,
    ]);
    expect(bodies.filter((body) => body.startsWith("event: snapshot"))).toHaveLength(2);
  });

  const verified = (body: string) => (JSON.parse(body) as { verified: boolean }).verified;

  /** Runs it; what it reads is the code in the log. Gives the answers to its curls. */
  async function runInShell(script: string): Promise<Answer[]> {
    const records = join(folder, "records");
    await mkdir(records);
    const child = spawn("bash", ["-c", shell + script], {
      cwd: folder,
      env: { ...process.env, records },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let printed = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        printed += chunk;
      });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const code = eventually(() => /"code":"(\d{6})"/.exec(shop.said())?.[1], 30);
    // Not if the shell has ended before it asks.
    child.stdin.on("error", () => {});
    code.then(
      (digits) => child.stdin.end(`${digits}\n`),
      () => child.stdin.end(),
    );
    expect(await ended, printed).toBe(0);

    const ends = (await readdir(records)).filter((name) => name.endsWith(".end")).sort();
    return Promise.all(
      ends.map(async (name) => {
        const read = (kind: string) => readFile(join(records, name.replace("end", kind)), "utf8");
        const [nth, code] = (await read("end")).trim().split(" ").map(Number);
        const status = Number((await read("head")).split(" ")[1]);
        return { paragraph: paragraphs[nth!]!, code: code!, status, body: await read("body") };
      }),
    );
  }
});
