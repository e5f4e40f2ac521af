import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { type Job, liveAttempt } from "../domain/job.ts";
import type { Heard } from "../fleet.ts";
import type { Jobs } from "../store/jobs.ts";
import type { Nodes } from "../store/nodes.ts";
import type { Queues } from "../store/queues.ts";
import { heldOn, nodeToProto } from "../wire/node-to-proto.ts";

/** The fleet, by id. */
export async function listNodes(deps: {
  readonly jobs: Jobs;
  readonly nodes: Nodes;
  /** What this process last heard of a node, which may be later than what is stored. */
  readonly latest: (nodeId: string) => Heard | undefined;
}): Promise<scheduler.ListNodesResponse> {
  const [nodes, jobs] = await Promise.all([deps.nodes.all(), deps.jobs.active()]);
  return create(scheduler.ListNodesResponseSchema, {
    nodes: nodes.map((node) => nodeToProto(node, heldOn(node.id, jobs), deps.latest(node.id), new Date())),
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
