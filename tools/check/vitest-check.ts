import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkoutRoot } from "../checkout.ts";
import type { Check, CheckResult } from "./check.ts";
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
 * The output begins with what failed and why: who reads only the beginning of a long log sees it.
 */
export function countVitest(result: ProgramResult, report: string | undefined): CheckResult {
  const parsed: VitestReport = report === undefined ? {} : JSON.parse(report);
  const { numPassedTests: passed = 0, numFailedTests = 0 } = parsed;
  const failed = result.code === 0 ? numFailedTests : Math.max(1, numFailedTests);
  return { passed, failed, output: [...failuresOf(parsed), result.output].join("\n") };
}

/** The part of vitest's JSON report that is read here; it has the shape of Jest's. */
interface VitestReport {
  readonly numPassedTests?: number;
  readonly numFailedTests?: number;
  readonly testResults?: readonly {
    readonly name: string;
    /** Why the file itself failed; empty when only tests in it did. */
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

/** Lines of an error that tell what was wrong; its stack goes on below them. */
const shownLines = 12;

function failuresOf({ testResults = [] }: VitestReport): readonly string[] {
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const file = name.startsWith(checkoutRoot) ? name.slice(checkoutRoot.length + 1) : name;
    const ofFile = message === "" ? [] : [`FAILED ${file}\n${beginning(message)}`];
    const ofTests = assertionResults
      .filter(({ status }) => status === "failed")
      .map(
        ({ fullName, failureMessages = [] }) =>
          `FAILED ${file}: ${fullName}\n${beginning(failureMessages.join("\n"))}`,
      );
    return [...ofFile, ...ofTests];
  });
}

function beginning(message: string): string {
  const lines = message.split("\n");
  return lines
    .slice(0, shownLines)
    .map((line) => `    ${line}`)
    .join("\n");
}
