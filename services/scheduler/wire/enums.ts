/** The domain's words and the contract's numbers, both ways, in one table each. */
import { scheduler, workeragent } from "@trainyard/contracts";
import type { YieldCause } from "../domain/attempt.ts";
import type { AttemptState } from "../domain/attempt-state.ts";
import type { FailureClass } from "../domain/failure.ts";
import type { AgentLifecycle, PartPhase } from "../domain/heartbeat.ts";
import type {
  CheckpointPolicy,
  IdlePolicy,
  JobSpec,
  Priority,
  StartMode,
  WorkFolder,
} from "../domain/job-spec.ts";
import type { JobState } from "../domain/job-state.ts";
import type { NodeState } from "../domain/node.ts";
import type { NodeDuty } from "../domain/node-duty.ts";
import type { PendingReason } from "../domain/pending.ts";

const {
  AgentLifecycle: WireAgentLifecycle,
  AttemptState: WireAttemptState,
  BestMode,
  FailureClass: WireFailureClass,
  Framework,
  IdleAction,
  JobKind,
  JobState: WireJobState,
  NodeDuty: WireNodeDuty,
  NodeState: WireNodeState,
  PendingReason: WirePendingReason,
  Priority: WirePriority,
  StartMode: WireStartMode,
  YieldCause: WireYieldCause,
} = scheduler;
const { AttemptPhase } = workeragent;

export const priorityToProto: Readonly<Record<Priority, scheduler.Priority>> = {
  low: WirePriority.LOW,
  normal: WirePriority.NORMAL,
  high: WirePriority.HIGH,
};
export const frameworkToProto: Readonly<Record<JobSpec["framework"], scheduler.Framework>> = {
  torch: Framework.TORCH,
  process: Framework.PROCESS,
  tensorflow: Framework.TENSORFLOW,
};
export const workFolderToProto: Readonly<Record<WorkFolder, scheduler.WorkFolder>> = {
  shared: scheduler.WorkFolder.SHARED,
  "per-rank": scheduler.WorkFolder.PER_RANK,
};
export const startModeToProto: Readonly<Record<StartMode, scheduler.StartMode>> = {
  warm: WireStartMode.WARM,
  cold: WireStartMode.COLD,
};
export const kindToProto: Readonly<Record<JobSpec["kind"], scheduler.JobKind>> = {
  training: JobKind.TRAINING,
  evaluation: JobKind.EVALUATION,
};
export const idleActionToProto: Readonly<Record<IdlePolicy["action"], scheduler.IdleAction>> = {
  warn: IdleAction.WARN,
  checkpoint: IdleAction.CHECKPOINT,
  release: IdleAction.RELEASE,
};
export const bestModeToProto: Readonly<
  Record<NonNullable<CheckpointPolicy["best"]>["mode"], scheduler.BestMode>
> = { min: BestMode.MIN, max: BestMode.MAX };
export const yieldCauseToProto: Readonly<Record<YieldCause, scheduler.YieldCause>> = {
  drain: WireYieldCause.DRAIN,
  grow: WireYieldCause.GROW,
  idle: WireYieldCause.IDLE,
};
export const dutyToProto: Readonly<Record<NodeDuty["state"], scheduler.NodeDuty>> = {
  open: WireNodeDuty.OPEN,
  cordoned: WireNodeDuty.CORDONED,
  draining: WireNodeDuty.DRAINING,
  drained: WireNodeDuty.DRAINED,
};
export const lifecycleToProto: Readonly<Record<AgentLifecycle, scheduler.AgentLifecycle>> = {
  registering: WireAgentLifecycle.REGISTERING,
  ready: WireAgentLifecycle.READY,
  draining: WireAgentLifecycle.DRAINING,
  drained: WireAgentLifecycle.DRAINED,
  stopped: WireAgentLifecycle.STOPPED,
};
export const jobStateToProto: Readonly<Record<JobState, scheduler.JobState>> = {
  queued: WireJobState.QUEUED,
  starting: WireJobState.STARTING,
  running: WireJobState.RUNNING,
  cancelling: WireJobState.CANCELLING,
  succeeded: WireJobState.SUCCEEDED,
  failed: WireJobState.FAILED,
  cancelled: WireJobState.CANCELLED,
};
export const attemptStateToProto: Readonly<Record<AttemptState, scheduler.AttemptState>> = {
  opening: WireAttemptState.OPENING,
  placed: WireAttemptState.PLACED,
  running: WireAttemptState.RUNNING,
  stopping: WireAttemptState.STOPPING,
  ended: WireAttemptState.ENDED,
};
export const failureClassToProto: Readonly<Record<FailureClass, scheduler.FailureClass>> = {
  user: WireFailureClass.USER,
  infra: WireFailureClass.INFRA,
  preempted: WireFailureClass.PREEMPTED,
  platform: WireFailureClass.PLATFORM,
  data: WireFailureClass.DATA,
};
export const pendingReasonToProto: Readonly<Record<PendingReason, scheduler.PendingReason>> = {
  "not-yet-considered": WirePendingReason.NOT_YET_CONSIDERED,
  "not-enough-slots": WirePendingReason.NOT_ENOUGH_SLOTS,
  fragmented: WirePendingReason.FRAGMENTED,
  "behind-another-job": WirePendingReason.BEHIND_ANOTHER_JOB,
  "retry-backoff": WirePendingReason.RETRY_BACKOFF,
  "opening-attempt": WirePendingReason.OPENING_ATTEMPT,
  "starting-ranks": WirePendingReason.STARTING_RANKS,
  "waiting-for-previous-attempt": WirePendingReason.WAITING_FOR_PREVIOUS_ATTEMPT,
  "node-orders-full": WirePendingReason.NODE_ORDERS_FULL,
  "nodes-withheld": WirePendingReason.NODES_WITHHELD,
};
export const nodeStateToProto: Readonly<Record<NodeState, scheduler.NodeState>> = {
  ready: WireNodeState.READY,
  suspect: WireNodeState.SUSPECT,
  lost: WireNodeState.LOST,
};
const phaseToProto: Readonly<Record<PartPhase, workeragent.AttemptPhase>> = {
  preparing: AttemptPhase.PREPARING,
  starting: AttemptPhase.STARTING,
  running: AttemptPhase.RUNNING,
  stopping: AttemptPhase.STOPPING,
  flushing: AttemptPhase.FLUSHING,
  finalized: AttemptPhase.FINALIZED,
  "failed-to-start": AttemptPhase.FAILED_TO_START,
};

/** The domain's word for a number of the contract; `undefined` for one it does not know. */
function inverse<K extends string, V extends number>(
  table: Readonly<Record<K, V>>,
): (value: V) => K | undefined {
  // Object.entries widens the keys; the table's type says what they are.
  const words = new Map((Object.entries(table) as [K, V][]).map(([word, value]) => [value, word]));
  return (value) => words.get(value);
}

export const priorityFromProto = inverse(priorityToProto);
export const frameworkFromProto = inverse(frameworkToProto);
export const startModeFromProto = inverse(startModeToProto);
export const bestModeFromProto = inverse(bestModeToProto);
export const workFolderFromProto = inverse(workFolderToProto);
export const idleActionFromProto = inverse(idleActionToProto);
export const lifecycleFromProto = inverse(lifecycleToProto);
export const kindFromProto = inverse(kindToProto);
export const jobStateFromProto = inverse(jobStateToProto);
export const phaseFromProto = inverse(phaseToProto);
