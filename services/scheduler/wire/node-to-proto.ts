import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { scheduler } from "@trainyard/contracts";
import { type Job, liveAttempt } from "../domain/job.ts";
import type { Node } from "../domain/node.ts";
import type { NodeCooldown } from "../domain/node-cooldown.ts";
import { attemptKey, whyUnusable } from "../domain/node-usable.ts";
import { whyWithheld } from "../domain/withheld.ts";
import type { Heard } from "../fleet.ts";
import { dutyToProto, lifecycleToProto, nodeStateToProto } from "./enums.ts";
import { nodeUsageToProto } from "./node-usage.ts";

/** What live attempts hold on one node. */
export interface HeldOn {
  readonly slots: number;
  /** By `attemptKey`. */
  readonly attempts: ReadonlySet<string>;
}

/** What these jobs hold on a node. */
export function heldOn(nodeId: string, jobs: readonly Job[]): HeldOn {
  const attempts = new Set<string>();
  let slots = 0;
  for (const job of jobs) {
    const attempt = liveAttempt(job);
    const placement = attempt?.placements.find((one) => one.nodeId === nodeId);
    if (attempt === undefined || placement === undefined) continue;
    slots += placement.slots.length;
    attempts.add(attemptKey(job.id, attempt.number));
  }
  return { slots, attempts };
}

/** A node for the wire, with what is decided about it and why. */
export function nodeToProto(node: Node, held: HeldOn, heard: Heard | undefined, now: Date): scheduler.Node {
  const { duty, cooldown } = node;
  const heardAt = heard?.heardAt;
  const last = heardAt !== undefined && heardAt > node.lastHeartbeatAt ? heardAt : node.lastHeartbeatAt;
  const lifecycle = heard?.heartbeat.lifecycle;
  return create(scheduler.NodeSchema, {
    id: node.id,
    state: nodeStateToProto[node.state],
    slots: node.slots,
    slotsUsed: held.slots,
    slotKind: node.slotKind,
    labels: { ...node.labels },
    agentVersion: node.agentVersion,
    protocolVersion: node.protocolVersion,
    lastHeartbeatAt: timestampFromDate(last),
    createdAt: timestampFromDate(node.createdAt),
    cpuCount: node.cpuCount,
    memoryBytes: BigInt(node.memoryBytes),
    address: node.address,
    duty: dutyToProto[duty?.state ?? "open"],
    dutyReason: duty?.reason ?? "",
    dutyBy: duty?.by ?? "",
    ...(duty?.deadlineAt === undefined ? {} : { drainDeadlineAt: timestampFromDate(duty.deadlineAt) }),
    ...(cooldown === undefined ? {} : { cooldown: cooldownToProto(cooldown) }),
    unusable: unusable(node, held, heard, now),
    ...(heard === undefined || node.state !== "ready" ? {} : nodeUsageToProto(heard.heartbeat.usage)),
    ...(lifecycle === undefined ? {} : { agentLifecycle: lifecycleToProto[lifecycle] }),
  });
}

function unusable(node: Node, held: HeldOn, heard: Heard | undefined, now: Date): string {
  const withheld = whyWithheld(node, now);
  if (withheld !== undefined) return `the node ${withheld}`;
  return whyUnusable(node, heard?.heartbeat, held.attempts) ?? "";
}

function cooldownToProto({ failures, reason, jobId, failedAt, until }: NodeCooldown) {
  return {
    failures,
    reason,
    jobId,
    failedAt: timestampFromDate(failedAt),
    ...(until === undefined ? {} : { until: timestampFromDate(until) }),
  };
}
