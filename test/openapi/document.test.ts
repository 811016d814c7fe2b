// The OpenAPI document as a contract: kept in the repository, linted, and changed only on purpose.
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { describe, expect, test } from "vitest";
import { testShop } from "../harness.ts";
import { breakingChanges } from "./breaking.ts";
import { committedFile } from "./committed.ts";

const shop = testShop();

const committed = JSON.parse(await readFile(committedFile, "utf8"));

test("openapi.json is what the service says: else run `npm run openapi`", () => {
  expect(committed).toEqual(JSON.parse(JSON.stringify(shop.app.swagger())));
});

describe("the document", () => {
  /** What Redocly's recommended rules find, every example against its schema included. */
  async function lint(document: object) {
    const config = await createConfig({
      extends: ["recommended"],
      rules: { "no-invalid-schema-examples": "error", "no-invalid-media-type-examples": "error" },
    });
    const problems = await lintFromString({
      source: JSON.stringify(document),
      absoluteRef: "openapi.json",
      config,
    });
    return problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} (${location[0]?.pointer})`);
  }

  test("keeps Redocly's recommended rules, and its examples are valid", async () => {
    expect(await lint(committed)).toEqual([]);
  });

  test("would be found out: by an example that isn't valid, by a component that nobody uses", async () => {
    const broken = structuredClone(committed);
    broken.components.schemas.OrderInput.examples[0].items[0].quantity = 0;
    broken.components.schemas.Unused = { type: "string" };
    broken.components.examples.sold_out.value.code = "out of stock";
    const found = (await lint(broken)).join("\n");
    expect(found).toMatch(/no-invalid-schema-examples.*OrderInput/);
    expect(found).toMatch(/no-unused-components.*Unused/);
    expect(found).toMatch(/no-invalid-media-type-examples/);
  });

  test("has an example for every body that is sent as JSON", () => {
    const bodies = Object.values(
      committed.paths as Record<
        string,
        Record<string, { requestBody?: { content: Record<string, { schema: { $ref?: string } }> } }>
      >,
    )
      .flatMap((path) => Object.values(path))
      .flatMap(({ requestBody }) => requestBody?.content["application/json"]?.schema.$ref ?? []);
    expect(bodies.length).toBeGreaterThan(20);
    for (const name of bodies.map((ref) => ref.split("/").at(-1)!))
      expect(committed.components.schemas[name].examples, name).toHaveLength(1);
  });

  test("names every object and every enum", () => {
    const nameless: string[] = [];
    const look = (node: unknown, place: string, named: boolean) => {
      if (typeof node !== "object" || node === null) return;
      if (
        !named &&
        ("enum" in node || ("properties" in node && Object.keys(node.properties as object).length > 0))
      )
        nameless.push(place);
      for (const [key, child] of Object.entries(node))
        if (!/^examples?$/.test(key)) look(child, `${place}/${key}`, place === "/components/schemas");
    };
    look(committed.paths, "/paths", false);
    look(committed.components.schemas, "/components/schemas", true);
    look(committed.components.parameters, "/components/parameters", true);
    expect(nameless).toEqual([]);
  });
});

/** The version of openapi.json before the present one: HEAD's, or, if that is the present one, the one before. */
function earlier(): { version: string; document: Record<string, unknown> } | undefined {
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "safe.directory=*", ...args], {
      encoding: "utf8",
      maxBuffer: 16 * 2 ** 20,
      stdio: ["ignore", "pipe", "ignore"],
    });
  try {
    for (const commit of git("log", "-n", "2", "--format=%H", "--", "openapi.json")
      .split("\n")
      .filter(Boolean)) {
      const document = JSON.parse(git("show", `${commit}:openapi.json`));
      if (JSON.stringify(document) !== JSON.stringify(committed))
        return { version: document.info.version, document };
    }
  } catch {
    // No git, no repository, or not its whole history.
  }
  return undefined;
}

/** Which versions may break each other's clients: of 0.2.1 all of 0.2, of 1.2.3 all of 1. */
const line = (version: string) => (/^0\.\d+|^\d+/.exec(version) ?? [""])[0];

test("a change that breaks clients comes with a new version", ({ skip }) => {
  const before = earlier();
  if (!before) {
    console.warn(
      "\n  SKIPPED: there is no earlier openapi.json, and what this one breaks is NOT looked for\n",
    );
    return skip();
  }
  if (line(before.version) !== line(committed.info.version)) return;
  expect(
    breakingChanges(before.document, committed),
    "clients of the last version break; if that is meant, raise the version in package.json, and run npm run openapi",
  ).toEqual([]);
});
