import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { scheduler } from "@trainyard/contracts";
import { type Job, liveAttempt } from "../domain/job.ts";
import type { Node } from "../domain/node.ts";
import type { Jobs } from "../store/jobs.ts";
import type { Nodes } from "../store/nodes.ts";
import type { Queues } from "../store/queues.ts";
import { nodeStateToProto } from "../wire/enums.ts";

/** The fleet, by id. */
export async function listNodes(deps: {
  readonly jobs: Jobs;
  readonly nodes: Nodes;
  /** When a node was last heard by this process, which may be later than what is stored. */
  readonly lastHeardAt: (nodeId: string) => Date | undefined;
}): Promise<scheduler.ListNodesResponse> {
  const [nodes, jobs] = await Promise.all([deps.nodes.all(), deps.jobs.active()]);
  const used = new Map<string, number>();
  for (const { nodeId, slots } of jobs.flatMap((job) => liveAttempt(job)?.placements ?? [])) {
    used.set(nodeId, (used.get(nodeId) ?? 0) + slots.length);
  }
  return create(scheduler.ListNodesResponseSchema, {
    nodes: nodes.map((node) => nodeToProto(node, used.get(node.id) ?? 0, deps.lastHeardAt(node.id))),
  });
}

/** The queues, by name. */
export async function listQueues(deps: {
  readonly jobs: Jobs;
  readonly queues: Queues;
}): Promise<scheduler.ListQueuesResponse> {
  const [names, jobs] = await Promise.all([deps.queues.names(), deps.jobs.active()]);
  return create(scheduler.ListQueuesResponseSchema, {
    queues: names.map((name) =>
      queueOf(
        name,
        jobs.filter((job) => job.spec.queue === name),
      ),
    ),
  });
}

function queueOf(name: string, jobs: readonly Job[]) {
  const live = jobs.flatMap((job) => liveAttempt(job) ?? []);
  const slotsUsed = live
    .flatMap(({ placements }) => placements)
    .reduce((sum, { slots }) => sum + slots.length, 0);
  return { name, waiting: jobs.length - live.length, running: live.length, slotsUsed };
}

function nodeToProto(node: Node, slotsUsed: number, heardAt: Date | undefined): scheduler.Node {
  const lastHeartbeatAt =
    heardAt !== undefined && heardAt > node.lastHeartbeatAt ? heardAt : node.lastHeartbeatAt;
  return create(scheduler.NodeSchema, {
    id: node.id,
    state: nodeStateToProto[node.state],
    slots: node.slots,
    slotsUsed,
    slotKind: node.slotKind,
    labels: { ...node.labels },
    agentVersion: node.agentVersion,
    protocolVersion: node.protocolVersion,
    lastHeartbeatAt: timestampFromDate(lastHeartbeatAt),
    createdAt: timestampFromDate(node.createdAt),
    cpuCount: node.cpuCount,
    memoryBytes: BigInt(node.memoryBytes),
    address: node.address,
  });
}
