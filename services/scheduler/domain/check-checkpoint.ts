import { assertId } from "@trainyard/domain";
import type { JobSpec } from "./job-spec.ts";
import { MAX_CHECKPOINT_KEEP, MAX_METRIC_KEY_BYTES, MAX_TIMEOUT_SECONDS } from "./limits.ts";
import { expectInteger, expectText, expectThat, type Violation, violationsOf } from "./violation.ts";

/** Checks when a job checkpoints, what of it is kept, and where it begins. */
export function checkCheckpoint({ checkpoint, startFrom }: JobSpec): readonly Violation[] {
  const { everySteps, everySeconds = 0, keep, best } = checkpoint;
  const field = "spec.checkpoint";
  return [
    ...expectInteger(`${field}.every_steps`, everySteps, 0, Number.MAX_SAFE_INTEGER),
    ...expectInteger(`${field}.every_seconds`, everySeconds, 0, MAX_TIMEOUT_SECONDS),
    ...expectInteger(`${field}.keep`, keep, 1, MAX_CHECKPOINT_KEEP),
    ...(best === undefined
      ? []
      : [
          ...expectThat(
            best.metric !== "",
            `${field}.best.metric`,
            'expected a metric\'s name, such as "loss"',
          ),
          ...expectText(`${field}.best.metric`, best.metric, MAX_METRIC_KEY_BYTES),
          ...expectInteger(`${field}.best.keep`, best.keep, 1, MAX_CHECKPOINT_KEEP),
        ]),
    ...(startFrom === undefined
      ? []
      : [
          ...violationsOf(() => assertId("run", "spec.start_from.run_id", startFrom.runId)),
          ...expectInteger("spec.start_from.step", startFrom.step ?? 0, 0, Number.MAX_SAFE_INTEGER),
        ]),
  ];
}
