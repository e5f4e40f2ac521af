import { join } from "node:path";
import { DomainError } from "@trainyard/domain";
import type { ProcessIdentity } from "@trainyard/local";
import { type FileLock, fileLockHolder, lockFile } from "../lock/lock-file.ts";

/**
 * Takes the state folder for this process, so that two platforms never run on the same data. Throws DATA_IN_USE with the
 * holder's pid.
 */
export function lockData(dir: string): FileLock {
  return lockFile(join(dir, "up.lock"), (holder) => inUse(dir, holder));
}

/** Who holds the state folder now; undefined when nobody does. */
export function lockHolder(dir: string): ProcessIdentity | undefined {
  return fileLockHolder(join(dir, "up.lock"));
}

function inUse(dir: string, holder: ProcessIdentity | undefined): DomainError {
  const pid = holder?.pid;
  const who = pid === undefined ? "another process" : `process ${pid}`;
  return new DomainError(
    "failed_precondition",
    "DATA_IN_USE",
    `a platform runs on ${dir} already (${who}): use it, stop it with Ctrl-C${pid === undefined ? "" : ` (or \`kill ${pid}\`)`}, or give another folder with --data`,
  );
}
