import { setTimeout as delay } from "node:timers/promises";
import type { Part } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { archiveOutput } from "./archive-output.ts";

const LOOK_MS = 1_000;

/**
 * Moves the outputs of runs that have ended into the blob store, a while after their end. A run that a replica has taken is
 * left to it for `turnMs`.
 */
export function logArchiver(deps: Deps, turnMs: number): Part {
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const found = await archiveNext(deps, turnMs, stopping.signal).catch((error: unknown) => {
        if (!stopping.signal.aborted)
          deps.logger.warn(
            { err: error },
            "an output could not be archived; it stays in the database for now",
          );
        return false;
      });
      if (!found) await delay(LOOK_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  return {
    name: "log archiver",
    async start() {
      loop ??= run();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

/** Archives the run that has waited longest; says false when none is due. */
async function archiveNext(deps: Deps, turnMs: number, signal: AbortSignal): Promise<boolean> {
  const { logArchives, runs, storedRanges } = deps.records;
  const now = deps.now();
  const turn = await logArchives.take(now, new Date(now.getTime() + turnMs));
  if (turn === undefined) return false;
  const run = await runs.find(turn.runId);
  const outputs =
    run === undefined ? [] : await storedRanges.ofRun(turn.runId, { kinds: ["stdout", "stderr"] });
  for (const { source } of outputs) {
    signal.throwIfAborted();
    if (run !== undefined) await archiveOutput(deps, run, source);
  }
  await logArchives.done(turn);
  return true;
}
