import { spawn } from "node:child_process";
import { checkout } from "./stamps.mjs";

/** Something the user can mend; its message says what was expected and what to do. */
export class SetupError extends Error {
  constructor(message, { interrupted = false } = {}) {
    super(message);
    this.interrupted = interrupted;
  }
}

const tickMs = 15_000;

/** Says what set-up does: always to stderr, so that a script's stdout stays pure. */
export const line = (text) => process.stderr.write(`${text}\n`);

/**
 * How one of several steps tells what it does, each line after its label. `run` executes a program in the checkout and
 * gives its stdout; what the program prints is shown only with --verbose or when it fails. The signal ends the program.
 */
export function progress({ label, verbose, signal }) {
  const labelled = (text) => line(`${label} ${text}`);
  const run = async (program, args, { hint = "", env = {} } = {}) => {
    const begun = Date.now();
    const tick = setInterval(() => labelled(`… ${seconds(begun, 0)} s`), tickMs);
    try {
      const result = await execute(program, args, { env, verbose, signal });
      if (result.status === 0) return result.stdout.trim();
      throw failure(program, args, result, hint);
    } finally {
      clearInterval(tick);
    }
  };
  return { line: labelled, run };
}

export const seconds = (since, digits = 1) => ((Date.now() - since) / 1000).toFixed(digits);

/** Ctrl-C and SIGTERM end the program first, then (by the error thrown) the set-up: no installer is left running. */
function execute(program, args, { env, verbose, signal }) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: checkout,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const text = { stdout: "", output: "" };
    const collect = (chunk) => {
      text.output += chunk;
      if (verbose) process.stderr.write(chunk);
    };
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      text.stdout += chunk;
      collect(chunk);
    });
    child.stderr.setEncoding("utf8").on("data", collect);
    let interrupted = false;
    const interrupt = (signal) => {
      interrupted = true;
      child.kill(signal);
    };
    process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
    const stop = () => child.kill("SIGTERM");
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    const end = (rest) => {
      process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
      signal.removeEventListener("abort", stop);
      resolve({ ...text, interrupted, ...rest });
    };
    child.on("error", (error) => end({ status: undefined, reason: error.message }));
    child.on("close", (status, signal) =>
      end({ status: interrupted ? 130 : status, reason: `ended with ${status ?? signal}` }),
    );
  });
}

const networkTrouble =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|dns error|Temporary failure in name|Could not connect|Failed to fetch/i;

function failure(program, args, result, hint) {
  const command = [program, ...args].join(" ");
  if (result.interrupted) {
    return new SetupError(`interrupted in \`${command}\`. Start again to carry on from here.`, {
      interrupted: true,
    });
  }
  const output = result.output.trimEnd().split("\n").slice(-25).join("\n");
  const offline = networkTrouble.test(output)
    ? "This looks like a network problem: the package registries must be reachable."
    : "";
  return new SetupError(
    [`\`${command}\` ${result.reason}`, output, offline, hint].filter(Boolean).join("\n"),
  );
}
