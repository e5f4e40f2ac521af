import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { invalidField } from "../domain/errors.ts";
import {
  type Handover,
  MAX_RECOVERY_MESSAGE,
  MAX_RECOVERY_REASON,
  type Recovery,
} from "../domain/recovery.ts";
import { safeNumber } from "./numbers.ts";

const { RecoveryMode: Mode } = tracking;
const REASON = /^[A-Z0-9_]*$/;

/** What the death of a rank costs, as the wire has it. */
export function recoveryToProto({ mode, reason, message }: Recovery): tracking.Recovery {
  const wire = mode === "just-in-time" ? Mode.JUST_IN_TIME : Mode.LAST_CHECKPOINT;
  return create(tracking.RecoverySchema, { mode: wire, reason, message });
}

/** What the death of a rank costs, checked. */
export function recoveryFromProto({ mode, reason, message }: tracking.Recovery): Recovery {
  assertTexts("recovery", reason, message);
  switch (mode) {
    case Mode.JUST_IN_TIME:
      return { mode: "just-in-time", reason, message };
    case Mode.LAST_CHECKPOINT:
      return { mode: "last-checkpoint", reason, message };
    default:
      throw invalidField("recovery.mode", "expected JUST_IN_TIME or LAST_CHECKPOINT");
  }
}

/** What became of a gang's state, as the wire has it. */
export function handoverToProto({ step, ...rest }: Handover): tracking.Handover {
  return create(tracking.HandoverSchema, { ...rest, step: BigInt(step) });
}

/** What became of a gang's state, checked. */
export function handoverFromProto(handover: tracking.Handover): Handover {
  const { saved, reason, message, seconds } = handover;
  assertTexts("handover", reason, message);
  if (!Number.isFinite(seconds) || seconds < 0)
    throw invalidField("handover.seconds", "expected a number of seconds, not less than 0");
  const step = handover.step === -1n ? -1 : safeNumber("handover.step", handover.step);
  return { saved, step, reason, message, seconds };
}

function assertTexts(field: string, reason: string, message: string): void {
  if (reason.length > MAX_RECOVERY_REASON || !REASON.test(reason)) {
    throw invalidField(
      `${field}.reason`,
      `expected at most ${MAX_RECOVERY_REASON} capital letters, digits and underscores (MAX_RECOVERY_REASON)`,
    );
  }
  if (message.length > MAX_RECOVERY_MESSAGE) {
    throw invalidField(
      `${field}.message`,
      `expected at most ${MAX_RECOVERY_MESSAGE} characters (MAX_RECOVERY_MESSAGE)`,
    );
  }
}
