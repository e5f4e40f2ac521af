import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import type { Part } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { creatingTransaction } from "../store/session.ts";
import { failureText, saveEnded } from "./end-run.ts";

/** Outside runs that are ended in one look. */
const MAX_PER_LOOK = 500;
/** Looks that may fall out before the time since is given back. */
const LOOKS_MISSED = 3;
const actor = "service:tracking";

/**
 * Ends outside runs whose owner is gone: silent for longer than their idle limit. Every replica looks; two that find the
 * same run conflict, and one of them finds it ended. A look that comes late tells that nobody could hear a sign of life
 * meanwhile, and that time counts against nobody.
 */
export function idleWatch(deps: Deps, lookEveryMs: number): Part {
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await look(deps, lookEveryMs * LOOKS_MISSED);
      } catch (error) {
        deps.logger.warn({ err: error }, "idle runs could not be looked for; trying on");
      }
      await delay(lookEveryMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  return {
    name: "idle watch",
    async start() {
      loop ??= run();
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}

async function look(deps: Deps, maxGapMs: number): Promise<void> {
  const { idleRuns } = deps.records;
  const givenBackMs = await creatingTransaction(deps.store, "idle watch", (tx) =>
    idleRuns.look(tx, maxGapMs),
  );
  if (givenBackMs > 0) deps.logger.warn({ givenBackMs }, "outside runs were not watched for a while");
  for (const runId of await idleRuns.overdue(MAX_PER_LOOK)) await endIdle(deps, runId);
}

async function endIdle(deps: Deps, runId: string): Promise<void> {
  const ended = await deps.store.transaction("end idle run", async (tx) => {
    if (!(await deps.records.idleRuns.isOverdue(tx, runId))) return false;
    const run = await deps.records.runs.find(runId, tx);
    if (run === undefined) return false;
    const endedAt = run.seenAt ?? deps.now();
    const failure = failureText(ownerLost(run.idleLimitMs ?? 0));
    await saveEnded(deps, tx, { ...run, status: "failed", endedAt, failure }, actor);
    return true;
  });
  if (!ended) return;
  deps.logger.info({ runId }, "an outside run was ended: its owner is silent");
  deps.signals.raise(runId);
}

function ownerLost(idleLimitMs: number): scheduler.Failure {
  return create(scheduler.FailureSchema, {
    class: scheduler.FailureClass.INFRA,
    reason: "OWNER_LOST",
    message: `Its client gave no sign of life for ${idleLimitMs / 1_000} s. A client that is alive may set the run to running again.`,
    rank: -1,
    step: -1n,
  });
}
