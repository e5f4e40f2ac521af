import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { checkoutRoot } from "../checkout.ts";

/** A program's end and everything it printed. */
export interface ProgramResult {
  /** Undefined when it could not be started or was ended by a signal. */
  readonly code: number | undefined;
  readonly output: string;
}

/**
 * Runs a program of the checkout and keeps its output. When the signal fires its whole process group is ended, so that no
 * server or worker of it stays behind.
 */
export function runProgram(
  program: string,
  args: readonly string[],
  options: {
    readonly signal: AbortSignal;
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
  },
): Promise<ProgramResult> {
  return new Promise((finish) => {
    const child = spawn(program, args, {
      cwd: resolve(checkoutRoot, options.cwd ?? "."),
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
      });
    }
    const end = (signal: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, signal);
      } catch {
        // The group is gone already.
      }
    };
    const onAbort = () => {
      output += `\nended by the check runner: ${String(options.signal.reason)}\n`;
      end("SIGTERM");
      setTimeout(() => end("SIGKILL"), 10_000).unref();
    };
    options.signal.addEventListener("abort", onAbort, { once: true });
    const done = (code: number | undefined, text: string) => {
      options.signal.removeEventListener("abort", onAbort);
      finish({ code, output: text });
    };
    child.on("error", (error) => done(undefined, `cannot run ${program}: ${error.message}`));
    child.on("close", (code) => done(code ?? undefined, output));
  });
}
