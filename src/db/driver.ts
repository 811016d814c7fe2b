// The fixes that the driver needs: patches/README.md describes each of them.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { OperatorError } from "../config.ts";

const patches = [
  "postgres+3.4.9+001+lost-connection.patch",
  "postgres+3.4.9+002+queue-growth.patch",
  "postgres+3.4.9+003+unserializable-statement.patch",
  "postgres+3.4.9+004+stale-prepared-statement.patch",
  "postgres+3.4.9+005+rolled-back-commit.patch",
  "postgres+3.4.9+006+failed-statement-rows.patch",
  "postgres+3.4.9+007+begin-at-pipeline-limit.patch",
  "postgres+3.4.9+008+open-portal.patch",
];

/** Throws an error for the operator unless the installed driver is postgres.js 3.4.9 with every patch applied. */
export function assertPatchedDriver() {
  const applied = appliedPatches();
  if (!patches.every((patch) => applied.includes(patch)))
    throw new OperatorError(
      "The database driver is not postgres.js 3.4.9 with every fix of patches/: run npm ci.",
    );
}

/** Returns the names of the patches that patch-package has applied; it writes them into the patched package. */
function appliedPatches(): string[] {
  try {
    // The main file is cjs/src/index.js.
    const record = join(createRequire(import.meta.url).resolve("postgres"), "../../../.patch-package.json");
    const { patches } = JSON.parse(readFileSync(record, "utf8")) as {
      patches: { didApply: boolean; patchFilename: string }[];
    };
    return patches.filter(({ didApply }) => didApply).map(({ patchFilename }) => patchFilename);
  } catch {
    return [];
  }
}
