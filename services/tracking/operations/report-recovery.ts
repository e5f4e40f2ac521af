import type { Deps } from "../deps.ts";
import { assertNotFenced, runNotFound } from "../domain/errors.ts";
import { type Handover, handoverAfter, type Recovery } from "../domain/recovery.ts";
import { assertReporter } from "../domain/reporter.ts";
import { creatingTransaction } from "../store/session.ts";

/** What an agent tells of a run's recovery. */
export interface RecoveryReport {
  readonly runId: string;
  /** The fencing token. */
  readonly attempt: number;
  /** The node whose agent tells it. */
  readonly nodeId: string;
  readonly recovery?: Recovery;
  readonly handover?: Handover;
}

/** Takes it down. Repeating a report changes nothing. */
export async function reportRecovery(deps: Deps, report: RecoveryReport): Promise<void> {
  const { runId, attempt, nodeId, recovery, handover } = report;
  const { runs } = deps.records;
  await creatingTransaction(deps.store, "report recovery", async (tx) => {
    const run = await runs.find(runId, tx);
    if (run === undefined) throw runNotFound(runId);
    assertNotFenced(run, attempt);
    assertReporter(run, nodeId);
    await runs.save(tx, {
      ...run,
      version: run.version + 1,
      ...(recovery === undefined ? {} : { recovery }),
      attempts: run.attempts.map((each) =>
        each.number === attempt && handover !== undefined
          ? { ...each, handover: handoverAfter(each.handover, handover) }
          : each,
      ),
    });
  });
  deps.signals.raise(runId);
}
