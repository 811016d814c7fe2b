// Tells how much of src the tests have run. A room that lives in a process of its own (main, worker, cli, the sandbox)
// is run by the tests as such: for each file the better of what the test runner saw and what those processes saw.
import { existsSync, readFileSync } from "node:fs";
import { Report } from "c8";
import libCoverage from "istanbul-lib-coverage";
import libReport from "istanbul-lib-report";
import reports from "istanbul-reports";

const inRunner = libCoverage.createCoverageMap(
  JSON.parse(readFileSync("coverage/coverage-final.json", "utf8")),
);
const inProcesses = existsSync("coverage/processes")
  ? await new Report({
      tempDirectory: "coverage/processes",
      include: ["src/**/*.ts"],
      exclude: [],
      extension: [".ts"],
      excludeNodeModules: true,
    }).getCoverageMapFromAllCoverageFiles()
  : libCoverage.createCoverageMap({});

const best = libCoverage.createCoverageMap({});
for (const file of inRunner.files()) {
  const seen = inRunner.fileCoverageFor(file);
  const other = inProcesses.files().includes(file) ? inProcesses.fileCoverageFor(file) : seen;
  best.addFileCoverage(other.toSummary().lines.pct > seen.toSummary().lines.pct ? other : seen);
}
const context = libReport.createContext({ dir: "coverage", coverageMap: best });
reports.create("text", { skipFull: true }).execute(context);
