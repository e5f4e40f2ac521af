import type { Check, CheckResult, Counts } from "./check.ts";

/**
 * Runs the checks in turn, and beside them, in turn too, those that say so; prints a line for each and the output of those
 * that failed, and ends with the closing line.
 */
export async function runChecks(
  checks: readonly Check[],
  { signal, print }: { readonly signal: AbortSignal; readonly print: (line: string) => void },
): Promise<Counts> {
  let passed = 0;
  let failed = 0;
  const inTurn = async (row: readonly Check[]) => {
    for (const check of row) await run(check);
  };
  const run = async (check: Check) => {
    const begun = performance.now();
    const result = await outcome(check, signal);
    passed += result.passed;
    failed += result.failed;
    print(
      `${result.failed === 0 ? "ok    " : "FAILED"} ${check.title} ${describe(result)}(${((performance.now() - begun) / 1000).toFixed(1)} s)`,
    );
    if (result.failed > 0) print(`\n${result.output.trimEnd()}\n`);
  };
  const isBeside = ({ beside = false }: Check) => beside;
  await Promise.all([inTurn(checks.filter((check) => !isBeside(check))), inTurn(checks.filter(isBeside))]);
  print(`\n${passed} passed, ${failed} failed`);
  return { passed, failed };
}

async function outcome(check: Check, signal: AbortSignal): Promise<CheckResult> {
  if (signal.aborted) return { passed: 0, failed: 1, output: "not run: the time for all checks was over" };
  try {
    return await check.run(signal);
  } catch (error) {
    return {
      passed: 0,
      failed: 1,
      output: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

function describe({ passed, failed }: Counts): string {
  return passed + failed === 1 ? "" : `${passed} passed${failed === 0 ? "" : `, ${failed} failed`} `;
}
