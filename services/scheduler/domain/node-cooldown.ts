/**
 * A node that fails jobs is left alone for a while, for longer each time, and comes back by itself. One failure proves
 * nothing: a row of them does, until a job ends well there or ten minutes pass without another.
 */
import { isSelfInflicted } from "./error-signature.ts";
import type { Failure } from "./failure.ts";

/** Failures in a row after which a node cools down. */
export const COOLDOWN_AFTER_FAILURES = 3;
/** The first cool-down; each further failure doubles it. */
export const FIRST_COOLDOWN_MS = 10_000;
/** The longest cool-down. */
export const MAX_COOLDOWN_MS = 600_000;
/** A row of failures ends when so much time has passed since the last, counted from the cool-down's end. */
export const FORGET_AFTER_MS = 600_000;

/** A node's record of failing jobs. */
export interface NodeCooldown {
  /** Failures in a row. */
  readonly failures: number;
  /** Reason of the last one. */
  readonly reason: string;
  /** The job of the last one. */
  readonly jobId: string;
  readonly failedAt: Date;
  /** Until when the node gets no new gangs; absent while failures are too few. */
  readonly until?: Date;
}

/** Whether a failure counts against the node it names. What a program does to itself, or the platform orders, does not. */
export function isNodesFailure(failure: Failure): boolean {
  if (failure.nodeId === undefined) return false;
  switch (failure.class) {
    case "infra":
      return !isSelfInflicted(failure.signal) && failure.reason !== "PEERS_UNREACHABLE";
    case "data":
    case "platform":
      return true;
    case "user":
    case "preempted":
      return false;
  }
}

/** The record after one more failure. */
export function afterNodeFailure(
  before: NodeCooldown | undefined,
  failure: Failure,
  jobId: string,
  now: Date,
): NodeCooldown {
  const failures = (before === undefined || isForgotten(before, now) ? 0 : before.failures) + 1;
  const over = failures - COOLDOWN_AFTER_FAILURES;
  const record = { failures, reason: failure.reason, jobId, failedAt: now };
  if (over < 0) return record;
  const cooldownMs = Math.min(MAX_COOLDOWN_MS, FIRST_COOLDOWN_MS * 2 ** Math.min(over, 16));
  return { ...record, until: new Date(now.getTime() + cooldownMs) };
}

/** Whether the row of failures has ended by itself. */
export function isForgotten({ failedAt, until }: NodeCooldown, now: Date): boolean {
  return now.getTime() - (until ?? failedAt).getTime() >= FORGET_AFTER_MS;
}

/** Whether the node gets no new gangs now. */
export function isCoolingDown(cooldown: NodeCooldown | undefined, now: Date): boolean {
  return cooldown?.until !== undefined && now < cooldown.until;
}
