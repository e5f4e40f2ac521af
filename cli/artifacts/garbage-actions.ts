import { tracking } from "@trainyard/contracts";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { style } from "../terminal/style.ts";

/** The options of `gc`. */
export interface GarbageFlags {
  readonly dryRun?: boolean;
  readonly purgeDeletedAfter?: number;
  readonly artifactsOlderThan?: number;
  readonly checkpointsOlderThan?: number;
  readonly keepNewest?: number;
  readonly releaseArchivedAfter?: number;
}

/** Collects, telling each thing as it goes. */
export async function collect(session: Session, flags: GarbageFlags): Promise<void> {
  const { artifacts } = await session.clients();
  const dryRun = flags.dryRun === true;
  const things = artifacts.collectGarbage({ dryRun, policy: policyOf(flags) }, { timeoutMs: 0 });
  for await (const thing of things) {
    if (session.json) session.printMessage(tracking.CollectGarbageResponseSchema, thing, { indent: 0 });
    else if (thing.summary === undefined) printThing(session, thing);
    else session.print(summaryText(thing.summary, dryRun));
  }
}

function policyOf(flags: GarbageFlags) {
  const { purgeDeletedAfter, artifactsOlderThan, checkpointsOlderThan, keepNewest, releaseArchivedAfter } =
    flags;
  return {
    ...(purgeDeletedAfter === undefined ? {} : { purgeDeletedAfterDays: purgeDeletedAfter }),
    ...(artifactsOlderThan === undefined ? {} : { artifactDays: artifactsOlderThan }),
    ...(checkpointsOlderThan === undefined ? {} : { checkpointDays: checkpointsOlderThan }),
    ...(keepNewest === undefined ? {} : { keepNewestRuns: keepNewest }),
    ...(releaseArchivedAfter === undefined ? {} : { archivedVersionDays: releaseArchivedAfter }),
  };
}

function printThing(session: Session, { kind, id, why, sizeBytes }: tracking.CollectGarbageResponse): void {
  const what = word(tracking.GarbageKind, kind).padEnd(10);
  session.print(`${what} ${id}  ${formatBytes(sizeBytes).padStart(8)}  ${style.dim(why)}`);
}

function summaryText(summary: tracking.GarbageSummary, dryRun: boolean): string {
  const { blobsSeen, blobsFreed, bytesFreed, bytesKept, runsPurged } = summary;
  const freed = `${blobsFreed} of ${blobsSeen} blobs, ${formatBytes(bytesFreed)}`;
  const runs = runsPurged === 0n ? "" : `, and ${runsPurged} runs for good`;
  return `${dryRun ? "would free" : "freed"} ${freed}${runs}; ${formatBytes(bytesKept)} stay`;
}
