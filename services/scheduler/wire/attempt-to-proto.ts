import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { scheduler } from "@trainyard/contracts";
import { type Attempt, gangSize, type Yielding } from "../domain/attempt.ts";
import type { Failure } from "../domain/failure.ts";
import type { Slowness } from "../domain/slowness.ts";
import { attemptStateToProto, failureClassToProto, startModeToProto, yieldCauseToProto } from "./enums.ts";

type AttemptInit = MessageInitShape<typeof scheduler.AttemptSchema>;

/** A failure for the wire. */
export function failureToProto({ class: failureClass, step, ...rest }: Failure): scheduler.Failure {
  return create(scheduler.FailureSchema, {
    ...rest,
    class: failureClassToProto[failureClass],
    step: BigInt(step),
  });
}

function yieldingToProto({ cause, checkpointStep, askedAt, deadlineAt }: Yielding) {
  return {
    cause: yieldCauseToProto[cause],
    checkpointStep: BigInt(checkpointStep),
    askedAt: timestampFromDate(askedAt),
    deadlineAt: timestampFromDate(deadlineAt),
  };
}

/** Which ranks hold a gang up, for the wire. */
export function slownessToProto({ stragglers, dataStalls }: Slowness) {
  return {
    stragglers: stragglers.map((one) => ({ ...one, since: timestampFromDate(one.since) })),
    dataStalls: dataStalls.map((one) => ({ ...one, since: timestampFromDate(one.since) })),
  };
}

/** An attempt for the wire. Its ranks' token is no part of it. */
export function attemptToProto(attempt: Attempt): scheduler.Attempt {
  const { resume, ranksStartedAt, firstStepAt, endedAt, failure, yielding, idleSince } = attempt;
  const init: AttemptInit = {
    number: attempt.number,
    state: attemptStateToProto[attempt.state],
    placements: attempt.placements.map(({ nodeId, ranks, slots }) => ({
      nodeId,
      ranks: [...ranks],
      slots: [...slots],
    })),
    starts: (attempt.starts ?? []).map(({ nodeId, mode, coldReason }) => ({
      nodeId,
      mode: startModeToProto[mode],
      coldReason,
    })),
    resumedFromCheckpointId: resume?.checkpointId ?? "",
    resumedFromStep: BigInt(resume?.step ?? 0),
    admittedAt: timestampFromDate(attempt.admittedAt),
    ...(ranksStartedAt === undefined ? {} : { ranksStartedAt: timestampFromDate(ranksStartedAt) }),
    ...(firstStepAt === undefined ? {} : { firstStepAt: timestampFromDate(firstStepAt) }),
    ...(endedAt === undefined ? {} : { endedAt: timestampFromDate(endedAt) }),
    ...(failure === undefined ? {} : { failure: failureToProto(failure) }),
    worldSize: gangSize(attempt),
    ...(yielding === undefined ? {} : { yielding: yieldingToProto(yielding) }),
    ...(idleSince === undefined ? {} : { idleSince: timestampFromDate(idleSince) }),
    ...(attempt.slowness === undefined ? {} : slownessToProto(attempt.slowness)),
  };
  return create(scheduler.AttemptSchema, init);
}
