/**
 * Projects what the database says each node shall do into the bucket that the agents read. Level-triggered: whatever
 * stands there is compared with what should, key by key, and written when it differs, and once at the beginning of
 * each term in any case, so that no agent follows a former leader's epoch. It remembers from which generation on an
 * order stands there, since only an agent that has applied that generation can be said not to have followed it.
 */
import { create } from "@bufbuild/protobuf";
import { isKvConflict } from "@trainyard/bus";
import { workeragent } from "@trainyard/contracts";
import { crashPoint } from "@trainyard/failpoint";
import type { DesiredPart } from "../domain/desired-parts.ts";
import { AGENT_PROTOCOL_VERSION, type Generation } from "../domain/heartbeat.ts";
import { attemptKey } from "../domain/node-usable.ts";
import { assignmentToProto } from "../wire/assignment-to-proto.ts";
import type { StoredDesired } from "./desired-bucket.ts";
import type { Term } from "./term.ts";

/** The projector of a term. */
export interface Projector {
  /** Makes the bucket say this; what cannot be written now is tried again by the next call. */
  project(desired: ReadonlyMap<string, readonly DesiredPart[]>): Promise<void>;
  /** Since which desired state the node has been told of the attempt, to run or to stop it. */
  carriedSince(nodeId: string, jobId: string, attempt: number): Generation | undefined;
  /** Since which desired state the node has been told to stop it. */
  stopCarriedSince(nodeId: string, jobId: string, attempt: number): Generation | undefined;
}

interface Projected {
  readonly stored: StoredDesired;
  /** What the newest write of this term says, in short; `undefined` before the first. */
  readonly digest: string | undefined;
  /** Orders by `orderKeys`, with the first generation of this term that holds each. */
  readonly since: ReadonlyMap<string, Generation>;
}

export function createProjector(term: Term): Projector {
  const { bucket, grant, logger } = term;
  const projected = new Map<string, Projected>();

  async function writeNode(nodeId: string, parts: readonly DesiredPart[]): Promise<void> {
    const known = projected.get(nodeId) ?? {
      stored: await bucket.read(nodeId),
      digest: undefined,
      since: new Map(),
    };
    const digest = parts.flatMap(orderKeys).join(" ");
    if (known.digest === digest) return;
    const generation = Number(known.stored.state?.generation ?? 0n) + 1;
    const state = create(workeragent.NodeDesiredStateSchema, {
      protocolVersion: AGENT_PROTOCOL_VERSION,
      nodeId,
      leaderEpoch: BigInt(grant.token),
      generation: BigInt(generation),
      assignments: await Promise.all(parts.map((part) => assignmentOf(part, known.stored.state))),
    });
    grant.signal.throwIfAborted();
    const revision = await bucket.write(state, known.stored.revision);
    const now: Generation = { epoch: grant.token, generation };
    const since = new Map(parts.flatMap(orderKeys).map((key) => [key, known.since.get(key) ?? now]));
    projected.set(nodeId, { stored: { revision, state }, digest, since });
    crashPoint("scheduler.project.written");
  }

  /** The token of an attempt's ranks is made once: it is in the bucket already when the attempt is. */
  async function assignmentOf(part: DesiredPart, before: StoredDesired["state"]) {
    const graceMs = term.config.stopGraceMs;
    if (part.kind === "reap") return assignmentToProto(part, { rankToken: "", graceMs });
    const { job, attempt } = part;
    const same = before?.assignments.find((each) => each.jobId === job.id && each.attempt === attempt.number);
    const rankToken = same?.rankToken || (await term.rankToken(job.runId, attempt.number, job.project));
    return assignmentToProto(part, { rankToken, graceMs });
  }

  return {
    async project(desired) {
      for (const [nodeId, parts] of desired) {
        try {
          await writeNode(nodeId, parts);
        } catch (error) {
          grant.signal.throwIfAborted();
          // Whatever stands there now is read again before the next try.
          projected.delete(nodeId);
          logger.warn(
            { err: error, node: nodeId, conflict: isKvConflict(error) },
            "desired state not written yet",
          );
        }
      }
    },
    carriedSince: (nodeId, jobId, attempt) => projected.get(nodeId)?.since.get(attemptKey(jobId, attempt)),
    stopCarriedSince: (nodeId, jobId, attempt) =>
      projected.get(nodeId)?.since.get(`${attemptKey(jobId, attempt)}/stop`),
  };
}

/** An order's names: the attempt, and for a stop that too. */
function orderKeys(part: DesiredPart): readonly string[] {
  if (part.kind === "reap") {
    const key = attemptKey(part.unreaped.jobId, part.unreaped.attempt);
    return [key, `${key}/stop`];
  }
  const key = attemptKey(part.job.id, part.attempt.number);
  return part.action === "stop" ? [key, `${key}/stop`] : [key];
}
