import type { Collection, Filter } from "mongodb";
import type { ArtifactDocument } from "./artifacts.ts";

/** A file or folder directly in a folder. */
export interface ArtifactEntry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly sizeBytes: number;
  readonly fileCount: number;
  /** Of a file. */
  readonly digest: string;
  readonly attempt: number;
  /** The newest of what it holds. */
  readonly createdAt: Date;
}

/** Where a listing stands. */
export interface EntryPosition {
  readonly name: string;
  readonly isFolder: boolean;
}

interface Group extends Omit<ArtifactEntry, "name" | "isFolder"> {
  readonly _id: EntryPosition;
}

/**
 * What is directly in a folder, sorted by name, a file before a folder of that name. One pass over the index of the files
 * below it, grouped by the next part of their path, so that a folder is told with its sizes.
 */
export async function entriesOf(
  documents: Collection<ArtifactDocument>,
  inFolder: Filter<ArtifactDocument>,
  folder: string,
  after: EntryPosition | undefined,
  limit: number,
): Promise<ArtifactEntry[]> {
  const skipped = folder === "" ? 0 : Buffer.byteLength(folder) + 1;
  const rest = { $split: [{ $substrBytes: ["$path", skipped, -1] }, "/"] };
  const groups = await documents
    .aggregate<Group>([
      { $match: inFolder },
      { $set: { rest } },
      {
        $group: {
          _id: { name: { $first: "$rest" }, isFolder: { $gt: [{ $size: "$rest" }, 1] } },
          sizeBytes: { $sum: "$sizeBytes" },
          fileCount: { $sum: 1 },
          digest: { $first: "$digest" },
          attempt: { $first: "$attempt" },
          createdAt: { $max: "$createdAt" },
        },
      },
      ...(after === undefined ? [] : [{ $match: { _id: { $gt: after } } }]),
      { $sort: { _id: 1 } },
      { $limit: limit },
    ])
    .toArray();
  return groups.map(({ _id, ...entry }) =>
    _id.isFolder ? { ...entry, ..._id, digest: "", attempt: 0 } : { ...entry, ..._id },
  );
}
