import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { buckets, openKv } from "@trainyard/bus";
import { workeragent } from "@trainyard/contracts";
import type { Logger } from "@trainyard/telemetry";
import type { Assignment } from "../domain/assignment.ts";
import { nodeKey } from "../domain/node-key.ts";
import { endpointFrom } from "../domain/rank-endpoint.ts";
import type { BusLink } from "../heartbeat/bus-link.ts";
import { readJsonIfThere, writeDurably } from "./durable-file.ts";
import { exchangeEndpoints } from "./exchange-endpoints.ts";
import type { Spool } from "./spool.ts";

const LOOK_AGAIN_MS = 100;

/** The bucket in which gangs of several nodes meet. */
export type RendezvousBucket = Awaited<ReturnType<typeof openKv>>;

/**
 * Lets the ranks of several nodes find each other: what this node's ranks have told goes into the bucket, what those of
 * the others have told is written where this node's ranks look for it. Does nothing for a gang on one node, or one whose
 * ranks do not meet. Rejects only when the signal aborts.
 */
export async function exchangeRendezvous(
  deps: { readonly link: BusLink; readonly logger: Logger },
  assignment: Assignment,
  spool: Spool,
  signal: AbortSignal,
): Promise<void> {
  const { framework } = assignment.work;
  if (assignment.groupCount < 2 || framework === "process") return;
  const exchange = framework === "torch" ? exchangeStore : exchangeEndpoints;
  for (let failed = false; ; ) {
    signal.throwIfAborted();
    try {
      const kv = await openKv(await deps.link.connected(signal), buckets.rendezvous);
      if (await exchange(kv, assignment, spool)) return;
    } catch (error) {
      signal.throwIfAborted();
      if (!failed)
        deps.logger.warn({ err: error, jobId: assignment.jobId }, "the rendezvous is not reached; trying on");
      failed = true;
    }
    await delay(LOOK_AGAIN_MS, undefined, { signal });
  }
}

/** Node 0 tells where rank 0's store listens, the others learn it. Says whether that is done. */
async function exchangeStore(kv: RendezvousBucket, assignment: Assignment, spool: Spool): Promise<boolean> {
  const { jobId, attempt } = assignment;
  const path = spool.path("rendezvous.json");
  const key = nodeKey(assignment, 0);
  if (assignment.groupRank === 0) {
    const point = endpointFrom(await readJsonIfThere(path));
    if (point === undefined) return false;
    const message = create(workeragent.RendezvousPointSchema, { jobId, attempt, ...point });
    await kv.put(key, toBinary(workeragent.RendezvousPointSchema, message));
    return true;
  }
  if (existsSync(path)) return true;
  const entry = await kv.get(key);
  if (entry === null || entry.value.length === 0) return false;
  const { host, port } = fromBinary(workeragent.RendezvousPointSchema, entry.value);
  await writeDurably(path, JSON.stringify({ host, port }));
  return true;
}
