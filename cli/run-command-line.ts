import { isDomainError } from "@trainyard/domain";
import { CommanderError } from "commander";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
import { createProgram } from "./program.ts";
import { printError } from "./terminal/print-error.ts";
import { safeText } from "./terminal/text.ts";

/** Runs one command line and ends the process with its exit code. What went wrong is told without a stack trace. */
export async function runCommandLine(args: readonly string[]): Promise<never> {
  // A reader that has enough (`| head`) is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCodes.ok);
    throw error;
  });
  let code: number = exitCodes.ok;
  const program = createProgram((ended) => {
    code = ended;
  });
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    code = await fail(error, args.includes("--json"));
  }
  process.exit(code);
}

async function fail(error: unknown, json: boolean): Promise<number> {
  // Commander has printed its own message or the help already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.invalid;
  if (isDomainError(error)) {
    printError(error, { json });
    return exitCodeOf[error.code];
  }
  printError(error, { json });
  if (process.env.TRAINYARD_DEBUG !== undefined && error instanceof Error)
    process.stderr.write(`${safeText(error.stack ?? "")}\n`);
  return exitCodes.failed;
}
