/**
 * Projects what the database says each node shall do into the bucket that the agents read. Level-triggered: whatever
 * stands there is compared with what should, key by key, and written when it differs, and once at the beginning of
 * each term in any case, so that no agent follows a former leader's epoch. The keys are read again in turn, so that what
 * somebody else put there is overwritten. It remembers from which generation on an order stands there, since only an
 * agent that has applied that generation can be said not to have followed it.
 */
import { create } from "@bufbuild/protobuf";
import { isKvConflict } from "@trainyard/bus";
import { workeragent } from "@trainyard/contracts";
import { crashPoint } from "@trainyard/failpoint";
import { MAX_DESIRED_STATE_BYTES } from "@trainyard/service";
import type { DesiredPart } from "../domain/desired-parts.ts";
import { AGENT_PROTOCOL_VERSION, type Generation } from "../domain/heartbeat.ts";
import { type HeldBack, heldBack } from "../domain/held-back.ts";
import { attemptKey } from "../domain/node-usable.ts";
import { assignmentToProto } from "../wire/assignment-to-proto.ts";
import type { StoredDesired } from "./desired-bucket.ts";
import { createOrderSizes } from "./order-sizes.ts";
import type { Term } from "./term.ts";

/** How often some keys are read again, and how many: a fleet of 1000 nodes is gone through in half a minute. */
const RECHECK_EVERY_MS = 1_000;
const RECHECK_NODES = 32;
/** Leaves room for what a desired state holds beside its assignments. */
const MAX_ORDERS_BYTES = MAX_DESIRED_STATE_BYTES - 1_024;

/** The projector of a term. */
export interface Projector {
  /**
   * Makes the bucket say this; what cannot be written now is tried again by the next call. Gives back the gangs that
   * it must leave out, because a node's orders would grow too long.
   */
  project(
    desired: ReadonlyMap<string, readonly DesiredPart[]>,
    draining: ReadonlySet<string>,
  ): Promise<readonly HeldBack[]>;
  /** Since which desired state the node has been told of the attempt, to run or to stop it. */
  carriedSince(nodeId: string, jobId: string, attempt: number): Generation | undefined;
  /** Since which desired state the node has been told to stop it. */
  stopCarriedSince(nodeId: string, jobId: string, attempt: number): Generation | undefined;
}

interface Projected {
  readonly stored: StoredDesired;
  /** What the newest write of this term says, in short; `undefined` when it must be written in any case. */
  readonly digest: string | undefined;
  /** Orders by `orderKeys`, with the first generation of this term that holds each. */
  readonly since: ReadonlyMap<string, Generation>;
}

export function createProjector(term: Term): Projector {
  const { bucket, grant, logger } = term;
  const graceMs = term.config.stopGraceMs;
  const projected = new Map<string, Projected>();
  /** Nodes whose key may not be what is remembered of it. */
  const doubtful = new Set<string>();
  /** The last generation tried, by node: it rises within a term, whatever became of the bucket. */
  const generations = new Map<string, number>();
  const sizeOf = createOrderSizes(graceMs);
  let recheckedAtMs = performance.now();
  let recheckFrom = 0;

  /** What stands at the node's key, read if that is not known for certain. */
  async function known(nodeId: string): Promise<Projected> {
    const before = projected.get(nodeId);
    if (before !== undefined && !doubtful.has(nodeId)) return before;
    const now = adopt(before, await bucket.read(nodeId));
    projected.set(nodeId, now);
    doubtful.delete(nodeId);
    return now;
  }

  async function writeNode(nodeId: string, parts: readonly DesiredPart[], draining: boolean): Promise<void> {
    const before = await known(nodeId);
    const digest = [...parts.flatMap(orderKeys), ...(draining ? ["draining"] : [])].join(" ");
    if (before.digest === digest || isNewerLeaders(before.stored)) return;
    const stored = Number(before.stored.state?.generation ?? 0n);
    const generation = Math.max(stored, generations.get(nodeId) ?? 0) + 1;
    const state = create(workeragent.NodeDesiredStateSchema, {
      protocolVersion: AGENT_PROTOCOL_VERSION,
      nodeId,
      leaderEpoch: BigInt(grant.token),
      generation: BigInt(generation),
      draining,
      assignments: await Promise.all(parts.map((part) => assignmentOf(part, before.stored.state))),
    });
    grant.signal.throwIfAborted();
    generations.set(nodeId, generation);
    const revision = await bucket.write(state, before.stored.revision);
    const now: Generation = { epoch: grant.token, generation };
    const since = new Map(parts.flatMap(orderKeys).map((key) => [key, before.since.get(key) ?? now]));
    projected.set(nodeId, { stored: { revision, state }, digest, since });
    crashPoint("scheduler.project.written");
  }

  /** A deposed leader that has not noticed yet does not fight with its successor. */
  function isNewerLeaders({ state }: StoredDesired): boolean {
    return state !== undefined && state.leaderEpoch > BigInt(grant.token);
  }

  /** The token of an attempt's ranks is made once: it is in the bucket already when the attempt is. */
  async function assignmentOf(part: DesiredPart, before: StoredDesired["state"]) {
    if (part.kind === "reap") return assignmentToProto(part, { rankToken: "", graceMs });
    const { job, attempt } = part;
    const rankToken =
      assignedIn(before, job.id, attempt.number)?.rankToken ||
      (await term.rankToken(job.runId, attempt.number, job.project));
    return assignmentToProto(part, { rankToken, graceMs });
  }

  function isTold(nodeId: string, part: DesiredPart): boolean {
    if (part.kind === "reap") return true;
    const state = projected.get(nodeId)?.stored.state;
    return assignedIn(state, part.job.id, part.attempt.number) !== undefined;
  }

  async function attemptOn(nodeId: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      grant.signal.throwIfAborted();
      doubtful.add(nodeId);
      logger.warn(
        { err: error, node: nodeId, conflict: isKvConflict(error) },
        "desired state not written yet",
      );
    }
  }

  /** Reads the next few keys again; what is not as it was left is written anew by the round. */
  async function recheck(nodeIds: readonly string[]): Promise<void> {
    if (performance.now() - recheckedAtMs < RECHECK_EVERY_MS) return;
    recheckedAtMs = performance.now();
    if (recheckFrom >= nodeIds.length) recheckFrom = 0;
    const some = nodeIds.slice(recheckFrom, recheckFrom + RECHECK_NODES);
    recheckFrom += RECHECK_NODES;
    await Promise.all(
      some.map((nodeId) =>
        attemptOn(nodeId, async () => {
          const before = projected.get(nodeId);
          if (before === undefined) return;
          const stored = await bucket.read(nodeId);
          if (stored.revision !== before.stored.revision) projected.set(nodeId, adopt(before, stored));
        }),
      ),
    );
  }

  return {
    async project(desired, draining) {
      await recheck([...desired.keys()]);
      for (const nodeId of desired.keys()) await attemptOn(nodeId, () => known(nodeId));
      const held = heldBack(desired, { maxBytes: MAX_ORDERS_BYTES, sizeOf, isTold });
      const left = new Set(held.map(({ jobId, attempt }) => attemptKey(jobId, attempt)));
      for (const [nodeId, parts] of desired) {
        const told = parts.filter((part) => !orderKeys(part).some((key) => left.has(key)));
        await attemptOn(nodeId, () => writeNode(nodeId, told, draining.has(nodeId)));
      }
      return held;
    },
    carriedSince: (nodeId, jobId, attempt) => projected.get(nodeId)?.since.get(attemptKey(jobId, attempt)),
    stopCarriedSince: (nodeId, jobId, attempt) =>
      projected.get(nodeId)?.since.get(`${attemptKey(jobId, attempt)}/stop`),
  };
}

/** What is known now that this was read. What this term has told the node, it has told, whatever stands there. */
function adopt(before: Projected | undefined, { revision, state }: StoredDesired): Projected {
  return {
    stored: { revision, state: state ?? before?.stored.state },
    digest: undefined,
    since: before?.since ?? new Map(),
  };
}

function assignedIn(state: workeragent.NodeDesiredState | undefined, jobId: string, attempt: number) {
  return state?.assignments.find((each) => each.jobId === jobId && each.attempt === attempt);
}

/** An order's names: the attempt, and for a stop, a handover or a checkpoint that too. */
function orderKeys(part: DesiredPart): readonly string[] {
  if (part.kind === "reap") {
    const key = attemptKey(part.unreaped.jobId, part.unreaped.attempt);
    return [key, `${key}/stop`];
  }
  const key = attemptKey(part.job.id, part.attempt.number);
  if (part.action === "stop") return [key, `${key}/stop`, ...(part.handOver ? [`${key}/hand-over`] : [])];
  const step = part.attempt.yielding?.checkpointStep ?? -1;
  return step < 0 ? [key] : [key, `${key}/checkpoint@${step}`];
}
