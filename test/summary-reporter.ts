import type { SerializedError } from "vitest";
import type { Reporter, TestModule } from "vitest/node";

/**
 * Ends a run with one plain line, which programs can read: how many tests passed, failed and were skipped. What failed
 * outside a test (a file that can't be loaded, a hook, an error that nobody caught) counts as one that failed.
 */
export const tally: Reporter = {
  onTestRunEnd(files: readonly TestModule[], uncaught: readonly SerializedError[]) {
    const count = { passed: 0, failed: uncaught.length, skipped: 0, pending: 0 };
    for (const file of files) {
      for (const test of file.children.allTests()) count[test.result().state] += 1;
      for (const group of [file, ...file.children.allSuites()]) count.failed += group.errors().length;
    }
    const notRun = count.skipped + count.pending;
    console.log(`tests: ${count.passed} passed, ${count.failed} failed, ${notRun} skipped`);
  },
};
