import { type registry, stageWord, type tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { Signature, StoredFile } from "../domain/model-version.ts";
import type { Stage } from "../domain/stage.ts";

export function requiredStage(stage: registry.Stage): Stage {
  const known = stageWord(stage);
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
