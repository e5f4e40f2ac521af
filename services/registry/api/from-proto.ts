import { registry, type tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { Signature, StoredFile } from "../domain/model-version.ts";
import type { Stage } from "../domain/stage.ts";

/** The stage of a request, or undefined when none was given. */
export function stageFromProto(stage: registry.Stage): Stage | undefined {
  switch (stage) {
    case registry.Stage.STAGING:
      return "staging";
    case registry.Stage.CANARY:
      return "canary";
    case registry.Stage.CHAMPION:
      return "champion";
    case registry.Stage.ARCHIVED:
      return "archived";
    default:
      return undefined;
  }
}

export function requiredStage(stage: registry.Stage): Stage {
  const known = stageFromProto(stage);
  if (known !== undefined) return known;
  const description = "expected one of staging, canary, champion, archived";
  throw new DomainError("invalid_argument", "STAGE_UNKNOWN", `stage: ${description}.`, {
    violations: [{ field: "stage", description }],
  });
}

export function signatureFromProto(signature: tracking.Signature | undefined): Signature | undefined {
  if (signature === undefined) return undefined;
  const tensor = ({ name, dtype, shape }: tracking.TensorSpec) => ({ name, dtype, shape: shape.map(Number) });
  return { inputs: signature.inputs.map(tensor), outputs: signature.outputs.map(tensor) };
}

export function filesFromProto(files: readonly tracking.StoredFile[]): readonly StoredFile[] {
  return files.map(({ path, digest, sizeBytes }) => ({ path, digest, sizeBytes: Number(sizeBytes) }));
}
