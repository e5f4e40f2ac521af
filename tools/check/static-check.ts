import type { Check, CheckResult } from "./check.ts";
import { runProgram } from "./run-program.ts";

/** A check that a program makes as a whole: it passes when the program exits 0. */
export function staticCheck(
  name: string,
  title: string,
  command: readonly [program: string, ...args: string[]],
  cwd = ".",
): Check {
  const [program, ...args] = command;
  return {
    name,
    title,
    run: async (signal) => verdict(await runProgram(program, args, { signal, cwd })),
  };
}

/** One thing passed or failed, by the exit code. */
export function verdict({
  code,
  output,
}: {
  readonly code: number | undefined;
  readonly output: string;
}): CheckResult {
  return code === 0 ? { passed: 1, failed: 0, output } : { passed: 0, failed: 1, output };
}
