import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { buckets, openKv } from "@trainyard/bus";
import { workeragent } from "@trainyard/contracts";
import type { Logger } from "@trainyard/telemetry";
import type { Assignment } from "../domain/assignment.ts";
import type { BusLink } from "../heartbeat/bus-link.ts";
import { readJsonIfThere, writeDurably } from "./durable-file.ts";
import type { Spool } from "./spool.ts";

const LOOK_AGAIN_MS = 100;

/**
 * Lets the ranks of several nodes find each other: node 0's agent publishes where rank 0 listens, the others write it
 * where their ranks look for it. Does nothing for a gang on one node. Rejects only when the signal aborts.
 */
export async function exchangeRendezvous(
  deps: { readonly link: BusLink; readonly logger: Logger },
  assignment: Assignment,
  spool: Spool,
  signal: AbortSignal,
): Promise<void> {
  if (assignment.groupCount < 2 || assignment.work.framework !== "torch") return;
  const path = spool.path("rendezvous.json");
  for (let failed = false; ; ) {
    signal.throwIfAborted();
    try {
      const bus = await deps.link.connected(signal);
      const kv = await openKv(bus, buckets.rendezvous);
      const key = `${assignment.jobId}.${assignment.attempt}`;
      if (assignment.groupRank === 0) {
        const point = pointFrom(await readJsonIfThere(path));
        if (point !== undefined) {
          const { jobId, attempt } = assignment;
          const message = create(workeragent.RendezvousPointSchema, { jobId, attempt, ...point });
          await kv.put(key, toBinary(workeragent.RendezvousPointSchema, message));
          return;
        }
      } else if (existsSync(path)) {
        return;
      } else {
        const entry = await kv.get(key);
        if (entry !== null && entry.value.length > 0) {
          const { host, port } = fromBinary(workeragent.RendezvousPointSchema, entry.value);
          await writeDurably(path, JSON.stringify({ host, port }));
          return;
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!failed)
        deps.logger.warn({ err: error, jobId: assignment.jobId }, "the rendezvous is not reached; trying on");
      failed = true;
    }
    await delay(LOOK_AGAIN_MS, undefined, { signal });
  }
}

function pointFrom(value: unknown): { readonly host: string; readonly port: number } | undefined {
  if (typeof value !== "object" || value === null || !("host" in value) || !("port" in value))
    return undefined;
  const { host, port } = value;
  return typeof host === "string" && typeof port === "number" ? { host, port } : undefined;
}
