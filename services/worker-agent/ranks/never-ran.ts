import { mkdir } from "node:fs/promises";
import type { StartError } from "../prepare/start-error.ts";
import { bury } from "./bury.ts";
import { writeDurably } from "./durable-file.ts";
import { ASSIGNMENT_FILE, type Spool, type StartFailure, type StopReason } from "./spool.ts";

/*
 * An attempt of which no rank ran may have no directory yet: it is made only to say so, also to a restarted agent. The
 * assignment, whose presence makes a directory an attempt's, is written last.
 */

const SIGTERM = 15;

/** Writes down that it was stopped before anything was started; its ranks count as ended by that. */
export async function recordStopped(
  spool: Spool,
  {
    message,
    ranks,
    reason,
  }: { readonly message: Uint8Array; readonly ranks: readonly number[]; readonly reason: StopReason },
): Promise<void> {
  await mkdir(spool.dir, { recursive: true, mode: 0o700 });
  await spool.markStop(reason, Date.now());
  await bury(spool, ranks, { signal: SIGTERM, reason: "stopped", now: Date.now });
  await writeDurably(spool.path(ASSIGNMENT_FILE), message);
}

/** Writes down why it could not start. */
export async function recordFailed(
  spool: Spool,
  { message, failure }: { readonly message: Uint8Array; readonly failure: StartFailure },
): Promise<void> {
  await mkdir(spool.dir, { recursive: true, mode: 0o700 });
  await spool.markFailed(failure);
  if (!spool.exists) await writeDurably(spool.path(ASSIGNMENT_FILE), message);
}

/** The failure that an error of preparing tells. */
export function failureOf({ reason, message, tail }: StartError): StartFailure {
  return tail === "" ? { reason, message } : { reason, message, tail };
}
