import type { Store } from "@trainyard/store";
import { KEEP_TAG } from "../domain/retention.ts";
import type { RunRecord } from "../domain/run-record.ts";
import type { RunDocument } from "./runs.ts";

/** A run that ended, as a collection looks at it. */
export interface EndedRun extends Pick<RunRecord, "id" | "project" | "endedAt"> {
  readonly isTaggedKeep: boolean;
  /** How many runs of its experiment are newer and not deleted. */
  readonly newerRuns: number;
}

/** Runs of which the time of what they keep may be over. */
export interface RetainedRuns {
  /** Those that ended before, which are not deleted. Runs are counted no further than `countTo`. */
  endedBefore(before: Date, countTo: number): AsyncIterable<EndedRun>;
  /** Which of these runs there are, deleted ones too. */
  existing(ids: readonly string[]): Promise<ReadonlySet<string>>;
}

/** The runs in this database. */
export function createRetainedRuns(store: Store): RetainedRuns {
  const runs = store.collection<RunDocument>("runs");
  return {
    async *endedBefore(before, countTo) {
      const shown = { lifecycle: { $ne: "deleted" as const } };
      const found = runs.find(
        { ...shown, endedAt: { $lt: before } },
        { projection: { project: 1, endedAt: 1, tags: 1, experimentId: 1 } },
      );
      for await (const { _id, project, endedAt, tags, experimentId } of found) {
        const newer = { ...shown, experimentId, _id: { $gt: _id } };
        const newerRuns = countTo === 0 ? 0 : await runs.countDocuments(newer, { limit: countTo });
        const isTaggedKeep = tags.some(({ key }) => key === KEEP_TAG);
        yield { id: _id, project, ...(endedAt === undefined ? {} : { endedAt }), isTaggedKeep, newerRuns };
      }
    },
    async existing(ids) {
      const found = runs.find({ _id: { $in: [...ids] } }, { projection: { _id: 1 } });
      return new Set((await found.toArray()).map(({ _id }) => _id));
    },
  };
}
