import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { DomainError, isId } from "@trainyard/domain";

/** Reads "RUN" or "RUN@STEP": the checkpoint that a job begins at. Throws `invalid_argument` START_FROM_INVALID. */
export function startFromText(text: string): scheduler.StartFrom {
  const [, runId = "", step] = /^([^@]*)(?:@(\d{1,15}))?$/.exec(text) ?? [];
  if (isId("run", runId)) {
    return create(scheduler.StartFromSchema, {
      runId,
      ...(step === undefined ? {} : { step: BigInt(step) }),
    });
  }
  const description = `expected a run's id, or RUN@STEP, got ${JSON.stringify(text.slice(0, 80))}`;
  throw new DomainError("invalid_argument", "START_FROM_INVALID", `--from: ${description}.`, {
    violations: [{ field: "--from", description }],
  });
}
