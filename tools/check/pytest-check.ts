import type { Check, CheckResult } from "./check.ts";
import { type ProgramResult, runProgram } from "./run-program.ts";

/** The Python SDK's tests, counted one by one. */
export function pytestCheck(name: string, title: string, python: string): Check {
  return {
    name,
    title,
    beside: true,
    run: async (signal) =>
      countPytest(await runProgram(python, ["-m", "pytest", "--color=no"], { signal, cwd: "sdk/python" })),
  };
}

/** Counts from pytest's closing line ("2 failed, 40 passed, 1 error in 3.1s"); errors are failures. */
export function countPytest(result: ProgramResult): CheckResult {
  const closing = result.output.trimEnd().split("\n").at(-1) ?? "";
  const count = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(closing)?.[1] ?? 0);
  const failed = count("failed") + count("error");
  return {
    passed: count("passed"),
    failed: result.code === 0 ? failed : Math.max(1, failed),
    output: result.output,
  };
}
