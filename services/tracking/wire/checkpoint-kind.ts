import { tracking } from "@trainyard/contracts";
import type { CheckpointKind } from "../domain/checkpoint.ts";
import { invalidField } from "../domain/errors.ts";

const { CheckpointKind: Wire } = tracking;

/** A checkpoint's kind as the wire has it. */
export function kindToProto(kind: CheckpointKind): tracking.CheckpointKind {
  switch (kind) {
    case "periodic":
      return Wire.PERIODIC;
    case "just-in-time":
      return Wire.JUST_IN_TIME;
  }
}

/** The kind that a report names. Throws `invalid_argument` for one that this version does not know. */
export function kindFromProto(kind: tracking.CheckpointKind): CheckpointKind {
  switch (kind) {
    case Wire.UNSPECIFIED:
    case Wire.PERIODIC:
      return "periodic";
    case Wire.JUST_IN_TIME:
      return "just-in-time";
    default:
      throw invalidField("kind", `expected a known kind, got ${String(kind)}`);
  }
}
