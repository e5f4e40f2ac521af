import { createHash, randomUUID } from "node:crypto";
import { DomainError } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import type { Deps } from "../deps.ts";
import type { MetricBatch } from "../domain/metric-batch.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { CALL_RANK } from "../domain/telemetry-source.ts";
import { type CallBatch, type CallDocument, callDocumentOf } from "../store/metric-batch-document.ts";

/** Points that a call brings. */
export interface MetricCall {
  readonly run: RunRecord;
  readonly points: MetricBatch;
  readonly actor: string;
  /** Empty: the caller does not repeat the call, or its points name it. */
  readonly requestId: string;
  /** The same points of the same caller are the same call. */
  readonly namedByPoints?: boolean;
  /** Of a stream of batches under one request id. */
  readonly batch?: number;
}

/** Stores the points of calls. */
export interface MetricCalls {
  /**
   * Resolves when the points are durable: whether this call stored them, or an earlier one of its request id did. Of a call that
   * its points name it is not looked. Throws REQUEST_ID_REUSED.
   */
  log(call: MetricCall): Promise<"stored" | "known">;
}

/** Groups being written at once: the database flushes its journal for all of them together. */
const MAX_WRITES = 4;
/** Calls and points at which a group is full. */
const MAX_GROUP = 256;
const MAX_GROUP_POINTS = 262_144;

interface Waiting {
  readonly document: CallDocument;
  readonly resolve: (outcome: "stored" | "there") => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Calls that arrive while others are being stored go into one write together. A call's batch is one document whose id
 * follows from the request id: that it is there already is all that has to be known of a repetition, so no row of its own
 * is written for the request, and no transaction is needed.
 */
export function createMetricCalls(deps: Deps): MetricCalls {
  const queue: Waiting[] = [];
  let writes = 0;

  async function writeGroups(): Promise<void> {
    writes += 1;
    try {
      while (queue.length > 0) await write(takeGroup(queue));
    } finally {
      writes -= 1;
    }
  }

  async function write(group: readonly Waiting[]): Promise<void> {
    try {
      const there = await deps.records.metrics.insertCalls(group.map(({ document }) => document));
      crashPoint("tracking.calls.stored");
      for (const { document, resolve } of group) resolve(there.has(document._id) ? "there" : "stored");
      for (const runId of new Set(group.map(({ document }) => document.runId))) deps.signals.raise(runId);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  return {
    async log(call) {
      const batch = callBatch(call);
      const document = callDocumentOf(batch);
      if (call.namedByPoints === true && (await deps.journal.append(document))) return "stored";
      const outcome = await new Promise<"stored" | "there">((resolve, reject) => {
        queue.push({ document, resolve, reject });
        // Failures reach each call by its own promise; this one cannot reject.
        if (writes < MAX_WRITES) void writeGroups();
      });
      if (outcome === "stored") return "stored";
      const known = await deps.records.metrics.findCall(batch.id);
      // Stored by this very call, whose first answer from the database was lost.
      if (known === undefined || known.writer === batch.writer) return "stored";
      if (known.digest !== batch.digest) throw reused(call.requestId);
      return "known";
    },
  };
}

function callBatch(call: MetricCall): CallBatch {
  const { run, points, actor, batch } = call;
  const writer = randomUUID();
  const common = {
    source: { runId: run.id, attempt: run.currentAttempt, rank: CALL_RANK },
    batch: points,
    project: run.project,
    createdBy: actor,
    writer,
  };
  if (call.requestId === "" && call.namedByPoints !== true) {
    return { ...common, id: `${run.id}:call:${writer}` };
  }
  const digest = digestOf(points);
  const name = call.namedByPoints === true ? [actor, null, digest] : [actor, call.requestId, batch ?? null];
  const id = createHash("sha256").update(JSON.stringify(name)).digest("base64url").slice(0, 22);
  return { ...common, id: `${run.id}:call:${id}`, digest };
}

function digestOf({ keys, keyIndex, steps, timesMs, values }: MetricBatch): string {
  const hash = createHash("sha256").update(JSON.stringify(keys));
  for (const column of [keyIndex, steps, timesMs, values]) {
    hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
  }
  return hash.digest("base64url").slice(0, 22);
}

function takeGroup(queue: Waiting[]): Waiting[] {
  let count = 0;
  let points = 0;
  for (const { document } of queue) {
    points += document.count;
    if (count > 0 && (count >= MAX_GROUP || points > MAX_GROUP_POINTS)) break;
    count += 1;
  }
  return queue.splice(0, count);
}

function reused(requestId: string): DomainError {
  const description = `request id ${requestId} came with other points before; use a new id for a new request`;
  return new DomainError("already_exists", "REQUEST_ID_REUSED", `request_id: ${description}.`, {
    violations: [{ field: "request_id", description }],
  });
}
