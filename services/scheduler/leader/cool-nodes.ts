import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { scheduler } from "@trainyard/contracts";
import type { Tx } from "@trainyard/store";
import type { Attempt } from "../domain/attempt.ts";
import type { Failure } from "../domain/failure.ts";
import type { Node } from "../domain/node.ts";
import { afterNodeFailure, isNodesFailure } from "../domain/node-cooldown.ts";
import { afterSevered, severedBy } from "../domain/severed-pairs.ts";
import { type KeptNodes, nodeEnvelope } from "./keep-nodes.ts";
import type { Term } from "./term.ts";

/** The nodes whose record of failures changes with the end of this attempt, as they are afterwards. */
export function cooledBy(nodes: KeptNodes, jobId: string, attempt: Attempt, now: Date): readonly Node[] {
  const { failure } = attempt;
  if (attempt.state !== "ended") return [];
  if (failure !== undefined) return failedOn(nodes, jobId, failure, now);
  // It ended well on every node, so whatever ailed them is over.
  return attempt.placements.flatMap(({ nodeId }) => {
    const node = nodes.get(nodeId);
    if (node?.cooldown === undefined) return [];
    const { cooldown: _over, ...well } = node;
    return [{ ...well, version: node.version + 1 }];
  });
}

function failedOn(nodes: KeptNodes, jobId: string, failure: Failure, now: Date): readonly Node[] {
  const node = failure.nodeId === undefined ? undefined : nodes.get(failure.nodeId);
  if (node === undefined || !isNodesFailure(failure)) return [];
  const cooldown = afterNodeFailure(node.cooldown, failure, jobId, now);
  return [{ ...node, cooldown, version: node.version + 1 }];
}

/** The node whose record of others that it cannot reach changes with the end of this attempt, as it is afterwards. */
export function severedWith(nodes: KeptNodes, { failure, placements }: Attempt, now: Date): readonly Node[] {
  const pair = severedBy(failure, placements);
  const node = pair === undefined ? undefined : nodes.get(pair[0]);
  if (pair === undefined || node === undefined) return [];
  return [{ ...node, severed: afterSevered(node.severed, pair[1], now) }];
}

/** Stores a node with its new record, and says so when it cools down. */
export async function storeCooled(tx: Tx, { nodes }: Pick<Term, "nodes">, node: Node): Promise<void> {
  await nodes.put(tx, node);
  const { cooldown } = node;
  if (cooldown?.until === undefined) return;
  const { failures, reason, jobId, until } = cooldown;
  await tx.emit({
    ...nodeEnvelope(node),
    schema: scheduler.NodeCoolingDownSchema,
    data: create(scheduler.NodeCoolingDownSchema, {
      nodeId: node.id,
      failures,
      reason,
      jobId,
      until: timestampFromDate(until),
    }),
  });
}
