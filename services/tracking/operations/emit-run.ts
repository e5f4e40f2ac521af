import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { Tx } from "@trainyard/store";
import type { Experiment } from "../domain/experiment.ts";
import type { Lifecycle } from "../domain/lifecycle.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { lifecycleToProto } from "../wire/lifecycle.ts";
import { runForEvent } from "../wire/run-for-event.ts";

/** Tells that a run was created. */
export async function emitCreated(
  tx: Tx,
  run: RunRecord,
  experiment: Experiment,
  actor: string,
): Promise<void> {
  const data = create(tracking.RunCreatedSchema, { run: runForEvent({ run, experiment }) });
  await tx.emit({ schema: tracking.RunCreatedSchema, ...envelope(run, actor), data });
}

/** Tells that what people say about a run changed. */
export async function emitUpdated(
  tx: Tx,
  run: RunRecord,
  experiment: Experiment | undefined,
  actor: string,
): Promise<void> {
  const data = create(tracking.RunUpdatedSchema, { run: runForEvent({ run, experiment }) });
  await tx.emit({ schema: tracking.RunUpdatedSchema, ...envelope(run, actor), data });
}

/** Tells that a run was archived, deleted or restored. */
export async function emitLifecycleChanged(
  tx: Tx,
  run: RunRecord,
  experiment: Experiment | undefined,
  change: { readonly before: Lifecycle; readonly actor: string },
): Promise<void> {
  const data = create(tracking.RunLifecycleChangedSchema, {
    run: runForEvent({ run, experiment }),
    before: lifecycleToProto(change.before),
  });
  await tx.emit({ schema: tracking.RunLifecycleChangedSchema, ...envelope(run, change.actor), data });
}

function envelope(run: RunRecord, actor: string) {
  const { id, project, version, submission } = run;
  return { id, project, aggregateVersion: version, actor, traceparent: submission?.traceparent };
}
