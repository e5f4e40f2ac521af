import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { bareRun } from "../domain/run-record.ts";
import { type AttemptSightings, isFinal, openStatus } from "../domain/run-status.ts";

/** What an event tells about an attempt. */
export interface AttemptSighting {
  readonly runId: string;
  readonly jobId: string;
  readonly project: string;
  readonly number: number;
  readonly what: keyof AttemptSightings;
  readonly actor: string;
}

/** Takes down that an attempt started or ended, in whatever order that is told, and sets the run's status by it. */
export async function sightAttempt(deps: Deps, tx: Tx, sighting: AttemptSighting): Promise<void> {
  const { runId, jobId, project, number, what, actor } = sighting;
  const { runs } = deps.records;
  const identity = { id: runId, project, jobId, createdBy: actor, createdAt: deps.now() };
  const run = (await runs.find(runId, tx)) ?? bareRun(identity);
  if (run.sightings[what].includes(number)) return;
  const sightings = { ...run.sightings, [what]: [...run.sightings[what], number] };
  const status = isFinal(run.status) ? run.status : openStatus(sightings);
  await runs.save(tx, { ...run, version: run.version + 1, sightings, status });
}
