import { describe, expect, it } from "vitest";
import type { Check, CheckResult } from "./check.ts";
import { chooseChecks } from "./choose-checks.ts";
import { countPytest } from "./pytest-check.ts";
import { runChecks } from "./run-checks.ts";
import { countVitest } from "./vitest-check.ts";

const check = (name: string, result: Partial<CheckResult> | Error): Check => ({
  name,
  title: `the ${name}`,
  run: async () => {
    if (result instanceof Error) throw result;
    return { passed: 0, failed: 0, output: "", ...result };
  },
});

async function run(checks: readonly Check[], signal = new AbortController().signal) {
  const lines: string[] = [];
  const counts = await runChecks(checks, { signal, print: (line) => lines.push(line) });
  return { counts, text: lines.join("\n") };
}

describe("the check runner", () => {
  it("runs every check after one has failed, shows the failed one's output, and ends with the totals", async () => {
    const { counts, text } = await run([
      check("lint", { failed: 1, output: "a.ts:1 is wrong" }),
      check("unit", { passed: 12, output: "quiet" }),
    ]);
    expect(counts).toEqual({ passed: 12, failed: 1 });
    expect(text).toContain("a.ts:1 is wrong");
    expect(text).not.toContain("quiet");
    expect(text.split("\n").at(-1)).toBe("12 passed, 1 failed");
  });

  it("counts a check that throws as failed", async () => {
    expect((await run([check("unit", new Error("no vitest"))])).counts).toEqual({ passed: 0, failed: 1 });
  });

  it("fails the checks that the time did not reach", async () => {
    expect((await run([check("unit", { passed: 5 })], AbortSignal.abort())).counts).toEqual({
      passed: 0,
      failed: 1,
    });
  });

  it("refuses a name that is no check, and names those there are", () => {
    expect(() => chooseChecks([check("lint", {}), check("unit", {})], ["units"])).toThrow(
      /units.*lint, unit/,
    );
  });
});

describe("counting tests", () => {
  it.each([
    ["40 passed in 3.10s", 0, 40, 0],
    ["2 failed, 40 passed, 1 error in 3.1s", 1, 40, 3],
    ["ImportError: no module", 2, 0, 1],
    ["no tests ran in 0.01s", 5, 0, 1],
  ])("pytest: %s, exit %d", (closing, code, passed, failed) => {
    expect(countPytest({ code, output: `...\n${closing}\n` })).toMatchObject({ passed, failed });
  });

  it.each([
    ["all pass", 0, '{"numPassedTests":7,"numFailedTests":0}', 7, 0],
    ["one fails", 1, '{"numPassedTests":6,"numFailedTests":1}', 6, 1],
    ["a file does not load, so no test failed", 1, '{"numPassedTests":6,"numFailedTests":0}', 6, 1],
    ["no report was written", 1, undefined, 0, 1],
  ])("vitest: %s", (_case, code, report, passed, failed) => {
    expect(countVitest({ code, output: "" }, report)).toMatchObject({ passed, failed });
  });

  it("says first which tests failed and why, before vitest's own long text", () => {
    const report = JSON.stringify({
      numPassedTests: 1,
      numFailedTests: 1,
      testResults: [
        {
          name: "services/a.test.ts",
          message: "",
          assertionResults: [
            { fullName: "a job runs", status: "passed", failureMessages: [] },
            { fullName: "a job ends", status: "failed", failureMessages: ["expected 1 to be 2\n at a.ts:3"] },
          ],
        },
        { name: "services/b.test.ts", message: "cannot find ./c.ts", assertionResults: [] },
      ],
    });
    const { output } = countVitest({ code: 1, output: "RUN" }, report);
    expect(output.split("\n")).toEqual([
      "FAILED services/a.test.ts: a job ends",
      "    expected 1 to be 2",
      "     at a.ts:3",
      "FAILED services/b.test.ts",
      "    cannot find ./c.ts",
      "RUN",
    ]);
  });
});
