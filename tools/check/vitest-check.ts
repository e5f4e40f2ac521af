import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Check, CheckResult, Counts } from "./check.ts";
import { type ProgramResult, runProgram } from "./run-program.ts";

/** The tests of one vitest project, counted one by one. */
export function vitestCheck(project: string, title: string): Check {
  return {
    name: project,
    title,
    run: async (signal) => {
      const folder = mkdtempSync(join(tmpdir(), "trainyard-check-"));
      const report = join(folder, "report.json");
      try {
        const result = await runProgram(
          "vitest",
          [
            "run",
            "--project",
            project,
            "--reporter=default",
            "--reporter=json",
            `--outputFile.json=${report}`,
            "--passWithNoTests",
          ],
          { signal, env: { NO_COLOR: "1" } },
        );
        return countVitest(result, readReport(report));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

function readReport(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/**
 * Counts from vitest's JSON report. A run that fails without a failed test (a file that does not load, a server that does
 * not start, an unhandled rejection, no report at all) counts as one failure: exit code and count never disagree.
 */
export function countVitest(result: ProgramResult, report: string | undefined): CheckResult {
  const counts = report === undefined ? { passed: 0, failed: 0 } : countsOf(JSON.parse(report));
  const failed = result.code === 0 ? counts.failed : Math.max(1, counts.failed);
  return { passed: counts.passed, failed, output: result.output };
}

function countsOf(report: unknown): Counts {
  const field = (name: string): number => {
    const value =
      typeof report === "object" && report !== null
        ? Object.entries(report).find(([key]) => key === name)
        : undefined;
    return typeof value?.[1] === "number" ? value[1] : 0;
  };
  return { passed: field("numPassedTests"), failed: field("numFailedTests") };
}
