import type { DesiredPart } from "./desired-parts.ts";
import { attemptKey } from "./node-usable.ts";

/** A gang that no node is told to run yet, because one of its nodes has no room for more orders. */
export interface HeldBack {
  readonly jobId: string;
  readonly attempt: number;
  readonly nodeId: string;
  readonly bytesNeeded: number;
  readonly bytesFree: number;
}

/** What the orders of a node cost, and how much a node's orders may cost in all. */
export interface OrderRoom {
  readonly maxBytes: number;
  sizeOf(part: DesiredPart): number;
  /** Whether the node has been told to run it: what runs is never held back. */
  isTold(nodeId: string, part: DesiredPart): boolean;
}

type Run = Extract<DesiredPart, { kind: "part" }>;

/**
 * Which gangs must wait because a node's orders, one message of the bus, would grow too long. The rest of the line is
 * tried all the same, oldest first. A gang is told to all of its nodes or to none: ranks would wait for ranks that nobody starts.
 */
export function heldBack(
  desired: ReadonlyMap<string, readonly DesiredPart[]>,
  room: OrderRoom,
): readonly HeldBack[] {
  const fresh = untoldGangs(desired, room);
  const usedBytes = new Map<string, number>();
  for (const nodeId of new Set([...fresh.values()].flat().map(({ placement }) => placement.nodeId))) {
    const others = (desired.get(nodeId) ?? []).filter((part) => !fresh.has(keyOf(part)));
    usedBytes.set(nodeId, sum(others.map(room.sizeOf)));
  }
  const held: HeldBack[] = [];
  for (const gang of fresh.values()) {
    const sized = gang.map((part) => ({ part, nodeId: part.placement.nodeId, bytes: room.sizeOf(part) }));
    const free = (nodeId: string) => room.maxBytes - (usedBytes.get(nodeId) ?? 0);
    const tight = sized.find(({ nodeId, bytes }) => bytes > free(nodeId));
    if (tight === undefined) {
      for (const { nodeId, bytes } of sized) usedBytes.set(nodeId, (usedBytes.get(nodeId) ?? 0) + bytes);
      continue;
    }
    const { part, nodeId, bytes } = tight;
    const { job, attempt } = part;
    held.push({
      jobId: job.id,
      attempt: attempt.number,
      nodeId,
      bytesNeeded: bytes,
      bytesFree: Math.max(0, free(nodeId)),
    });
  }
  return held;
}

/** The gangs of which no node has been told, in order of their jobs, by attempt. */
function untoldGangs(
  desired: ReadonlyMap<string, readonly DesiredPart[]>,
  room: OrderRoom,
): ReadonlyMap<string, readonly Run[]> {
  const gangs = new Map<string, Run[]>();
  const told = new Set<string>();
  for (const [nodeId, parts] of desired) {
    for (const part of parts) {
      if (part.kind === "reap") continue;
      const key = keyOf(part);
      if (part.attempt.state !== "placed" || room.isTold(nodeId, part)) told.add(key);
      const gang = gangs.get(key);
      if (gang === undefined) gangs.set(key, [part]);
      else gang.push(part);
    }
  }
  const inOrder = [...gangs].filter(([key]) => !told.has(key)).sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(inOrder);
}

function keyOf(part: DesiredPart): string {
  return part.kind === "reap"
    ? attemptKey(part.unreaped.jobId, part.unreaped.attempt)
    : attemptKey(part.job.id, part.attempt.number);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
