import { appendFile } from "node:fs/promises";
import type { MakePython } from "../ranks/attempt-deps.ts";
import type { PythonEnvironments } from "./python-environments.ts";

/**
 * Makes the Python of an attempt, and tells its progress in the standard error of the node's first rank, which is the job's log
 * before there is a rank to write it. `sdk` says where the SDK is.
 */
export function makePython(environments: PythonEnvironments, sdk: () => Promise<string>): MakePython {
  return async ({ ranks, work }, spool, signal) => {
    const first = Math.min(...ranks.map(({ rank }) => rank));
    const log = spool.rankPath(first, "stderr.log");
    let written: Promise<void> = Promise.resolve();
    // A log that cannot be written must not keep the job from starting.
    const onLine = (line: string) => {
      written = written
        .then(() => appendFile(log, `trainyard: ${line}\n`, { mode: 0o600 }))
        .catch(() => undefined);
    };
    try {
      const wish = work.python ?? { interpreter: "", requirements: "", isolated: false };
      const request = { wish, codeDigest: work.codeDigest, codeDir: spool.path("work"), onLine };
      const interpreter = await unlessAborted(environments.interpreterFor(request), signal);
      return { interpreter, sdkPath: await sdk() };
    } finally {
      await written;
    }
  };
}

/** The build goes on for others that wait for it. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
