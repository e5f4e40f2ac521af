import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Longest that one step of a build may take. */
const STEP_TIMEOUT_MS = 30 * 60_000;
/** How much of what uv said is kept for the failure. */
const TAIL_CHARS = 4_096;

/** A step of uv that failed, with the end of what it said. */
export class UvError extends Error {
  override readonly name = "UvError";
  readonly tail: string;

  constructor(message: string, tail: string) {
    super(message);
    this.tail = tail;
  }
}

export interface UvOptions {
  readonly uv: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Called with each line that it prints. */
  readonly onLine: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs uv, in a process group of its own that is ended whole: building a package may start compilers. Throws `UvError`
 * when it fails, and the signal's reason when it is aborted.
 */
export async function runUv(args: readonly string[], options: UvOptions): Promise<void> {
  const { uv, env, cwd, onLine, signal } = options;
  signal.throwIfAborted();
  const child = spawn(uv, [...args], { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const end = () => killGroup(child.pid);
  const timer = setTimeout(end, STEP_TIMEOUT_MS);
  signal.addEventListener("abort", end);
  let tail = "";
  const read = async (stream: NodeJS.ReadableStream) => {
    for await (const line of createInterface({ input: stream })) {
      tail = `${tail}${line}\n`.slice(-TAIL_CHARS);
      // It names the folder that the environment has only while it is built.
      if (!line.startsWith("Using Python ")) onLine(line);
    }
  };
  try {
    const ended = new Promise<string | undefined>((resolve) => {
      child.on("error", (error) => resolve(`it cannot be run: ${error.message}`));
      child.on("close", (code, by) =>
        resolve(code === 0 ? undefined : `it ended with ${by ?? `code ${code}`}`),
      );
    });
    const [problem] = await Promise.all([ended, read(child.stdout), read(child.stderr)]);
    signal.throwIfAborted();
    if (problem !== undefined)
      throw new UvError(`uv ${args[0] === "pip" ? `pip ${args[1]}` : args[0]}: ${problem}`, tail);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
