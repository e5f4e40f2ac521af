import { createHash } from "node:crypto";
import type { FlowClients } from "@trainyard/test/flow/clients.ts";
import { waitFor } from "@trainyard/testing";

/** What one epoch of a run has taken, by the run's visible history. */
export interface EpochTaken {
  readonly epoch: number;
  readonly samples: number;
  /** Ids that were taken more than once. */
  readonly twice: readonly number[];
  /** Whether the ids are the dataset's, each of them and no other. */
  readonly isWhole: boolean;
}

/** What `train.py` says of the dataset's split. */
export interface SplitIds {
  readonly samples: number;
  readonly sha256: string;
}

/** Reads from the first attempt's log what the ids of the split are. */
export function splitIds(user: FlowClients, runId: string): Promise<SplitIds> {
  return waitFor("the split's ids in the log", async () => {
    for await (const { lines } of user.tracking.readLogs({ runId, rank: 0, attempt: 1 })) {
      for (const line of lines) {
        const [, samples, sha256] =
          /the split has (\d+) samples, sha256 of their ids ([0-9a-f]{64})/.exec(line) ?? [];
        if (sha256 !== undefined) return { samples: Number(samples), sha256 };
      }
    }
    return undefined;
  });
}

/** Compares what each epoch took with the split. */
export async function takenByEpoch(
  user: FlowClients,
  runId: string,
  epochs: number,
  split: SplitIds,
): Promise<readonly EpochTaken[]> {
  const found: EpochTaken[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const ids = await idsOf(user, runId, `sample/${epoch}`);
    const distinct = [...new Set(ids)].sort((a, b) => a - b);
    const sha256 = createHash("sha256").update(distinct.join(",")).digest("hex");
    const twice = distinct.filter((id) => ids.indexOf(id) !== ids.lastIndexOf(id));
    found.push({ epoch, samples: ids.length, twice, isWhole: sha256 === split.sha256 && twice.length === 0 });
  }
  return found;
}

async function idsOf(user: FlowClients, runId: string, key: string): Promise<readonly number[]> {
  const ids: number[] = [];
  for (let pageToken = ""; ; ) {
    const page = await user.tracking.getMetricHistory({ runId, keys: [key], pageToken });
    ids.push(...page.points.map(({ value }) => value));
    pageToken = page.nextPageToken;
    if (pageToken === "") return ids;
  }
}
