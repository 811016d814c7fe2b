// Clients in Python, Java and Go, from the committed document as it is, by openapi-generator: they compile or import, an
// enum is an enum, and nothing is of any type but what is free JSON.
import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { committedFile } from "../openapi/committed.ts";
import { missing } from "../skip-if-unavailable.ts";

const run = promisify(execFile);
const pom = new URL("pom.xml", import.meta.url).pathname;
const classPathPlugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath";

/** Of the generator, and of what its Java client needs. */
let jars: string[] = [];

/** Loads the jars the first time; `.ci/run` does it before the tests, for it may take a minute. */
const noGenerator = missing("openapi-generator (a JDK of 17 or newer, and mvn)", () => {
  execFileSync("javac", ["-version"], { stdio: "ignore" });
  const out = join(tmpdir(), `ristretto-clients-${process.pid}.classpath`);
  execFileSync("mvn", ["-B", "-q", "-f", pom, classPathPlugin, `-Dmdep.outputFile=${out}`], {
    stdio: "ignore",
  });
  jars = execFileSync("cat", [out], { encoding: "utf8" }).trim().split(":");
  execFileSync("rm", [out]);
});
const noGo = missing("go", () => execFileSync("go", ["version"], { stdio: "ignore" }));
const noPython = missing("python3 with venv", () =>
  execFileSync("python3", ["-c", "import venv, ensurepip"], { stdio: "ignore" }),
);

interface Schema {
  type: string;
  enum?: string[];
}
const document = JSON.parse(await readFile(committedFile, "utf8"));
const schemas: [name: string, schema: Schema][] = Object.entries(document.components.schemas);
const enums = schemas.flatMap(([name, schema]) => (schema.enum ? [{ name, values: schema.enum }] : []));

/** What is anybody's JSON: the customer's own, the provider's answer, an event's of whatever kind. */
const freeJson = ["metadata", "response", "data"];

// In Go constants of all enums are in one package, and two have the same value.
const generators = {
  go: { enumClassPrefix: true, packageName: "ristretto" },
  java: { library: "native", hideGenerationTimestamp: true },
  python: { packageName: "ristretto" },
};

describe.skipIf(noGenerator)("openapi-generator", () => {
  let folder: string;
  const at = (...path: string[]) => join(folder, ...path);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "ristretto-clients-"));
    const configs = Object.entries(generators).map(async ([generatorName, additionalProperties]) => {
      const config = {
        inputSpec: committedFile,
        generatorName,
        outputDir: at(generatorName),
        additionalProperties,
      };
      await writeFile(at(`${generatorName}.json`), JSON.stringify(config));
      return at(`${generatorName}.json`);
    });
    const generator = jars.find((jar) => basename(jar).startsWith("openapi-generator"))!;
    await run("java", ["-jar", generator, "batch", ...(await Promise.all(configs))], { maxBuffer: 2 ** 26 });
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** The files of a folder of models that models are in, by name, as text. */
  async function modelsIn(path: string, pattern: RegExp) {
    const files = (await readdir(path)).filter((file) => pattern.test(file));
    return new Map(
      await Promise.all(
        files.map(
          async (file) => [file.replace(pattern, "$1"), await readFile(join(path, file), "utf8")] as const,
        ),
      ),
    );
  }

  /** The members, by `member`, whose type says that it is any. */
  const anyLike = (models: Map<string, string>, member: RegExp, any: RegExp) =>
    [...models].flatMap(([model, text]) =>
      [...text.matchAll(member)].flatMap(({ groups }) =>
        any.test(groups!.type!) && !freeJson.includes(groups!.name!)
          ? [`${model}.${groups!.name}: ${groups!.type}`]
          : [],
      ),
    );

  const snakeCase = (name: string) => name.replace(/(?!^)([A-Z])/g, "_$1").toLowerCase();

  describe("for Java", () => {
    const models = async () => {
      const found = await modelsIn(at("java/src/main/java/org/openapitools/client/model"), /^(\w+)\.java$/);
      // The generator's own.
      found.delete("AbstractOpenApiSchema");
      return found;
    };

    test("compiles", async () => {
      const sources = await readdir(at("java/src/main/java"), { recursive: true });
      await writeFile(
        at("sources"),
        sources
          .filter((file) => file.endsWith(".java"))
          .map((file) => `${at("java/src/main/java")}/${file}`)
          .join("\n"),
      );
      const classPath = jars.filter((jar) => !basename(jar).startsWith("openapi-generator")).join(":");
      await run("javac", ["-proc:none", "-d", at("classes"), "-cp", classPath, `@${at("sources")}`]);
    }, 120_000);

    test("names the document's schemas and no others, and has enums", async () => {
      const found = await models();
      // An object that is open and has no members is a Map.
      expect([...found.keys()].sort()).toEqual(
        schemas
          .map(([name]) => name)
          .filter((name) => name !== "Metadata")
          .sort(),
      );
      for (const { name, values } of enums) {
        expect(found.get(name)).toContain(`public enum ${name} {`);
        for (const value of values) expect(found.get(name), name).toContain(`("${value}")`);
      }
    });

    test("has no Object but for free JSON", async () => {
      expect(
        anyLike(await models(), /^ {2}private (?<type>.+?) (?<name>\w+)(?: =.*)?;$/gm, /\bObject\b/),
      ).toEqual([]);
    });
  });

  describe("for Go", () => {
    const models = () => modelsIn(at("go"), /^model_(\w+)\.go$/);

    test.skipIf(noGo)(
      "builds",
      async () => {
        await run("go", ["build", "./..."], { cwd: at("go"), env: { ...process.env, GOTOOLCHAIN: "local" } });
      },
      120_000,
    );

    test("names the document's schemas and no others, and has enums", async () => {
      const found = await models();
      expect([...found.keys()].sort()).toEqual(
        schemas
          .map(([name]) => snakeCase(name))
          .filter((name) => name !== "metadata")
          .sort(),
      );
      for (const { name, values } of enums) {
        expect(found.get(snakeCase(name))).toContain(`type ${name} string`);
        for (const value of values)
          expect(found.get(snakeCase(name)), name).toMatch(new RegExp(` ${name} = "${value}"`));
      }
    });

    test("has no interface{} but for free JSON", async () => {
      const members = /^\t\w+ (?<type>\S+) `json:"(?<name>\w+)/gm;
      const open = /^\t(?<name>AdditionalProperties) (?<type>.+)$/gm;
      const found = await models();
      expect([...anyLike(found, members, /interface\{\}/), ...anyLike(found, open, /interface\{\}/)]).toEqual(
        [],
      );
    });
  });

  describe("for Python", () => {
    const models = async () => {
      const found = await modelsIn(at("python/ristretto/models"), /^(\w+)\.py$/);
      found.delete("__init__");
      return found;
    };

    test.skipIf(noPython)(
      "imports, every module of it",
      async () => {
        await run("python3", ["-m", "venv", at("venv")]);
        const python = at("venv/bin/python");
        await run(python, [
          "-m",
          "pip",
          "install",
          "--quiet",
          "--disable-pip-version-check",
          "-r",
          at("python/requirements.txt"),
        ]);
        const program = `
import importlib, pkgutil, ristretto
for module in pkgutil.walk_packages(ristretto.__path__, "ristretto."):
    importlib.import_module(module.name)
print(ristretto.OrderStatus("waiting").name, isinstance(ristretto.OrderStatus.WAITING, str))
`;
        const { stdout } = await run(python, ["-c", program], { cwd: at("python") });
        expect(stdout.trim()).toBe("WAITING True");
      },
      120_000,
    );

    test("names the document's schemas and no others, and has enums", async () => {
      const found = await models();
      expect([...found.keys()].sort()).toEqual(
        schemas
          .map(([name]) => snakeCase(name))
          .filter((name) => name !== "metadata")
          .sort(),
      );
      for (const { name, values } of enums) {
        expect(found.get(snakeCase(name))).toContain(`class ${name}(str, Enum):`);
        for (const value of values) expect(found.get(snakeCase(name)), name).toContain(` = '${value}'`);
      }
    });

    test("has no Any but for free JSON", async () => {
      const members = /^ {4}(?<name>[a-z]\w*): (?<type>[^=\n]+)/gm;
      expect(anyLike(await models(), members, /\b(Any|object)\b/)).toEqual([]);
    });
  });
});
