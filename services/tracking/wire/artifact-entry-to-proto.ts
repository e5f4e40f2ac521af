import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import type { ArtifactEntry } from "../store/artifact-tree.ts";

/** A file or folder in the folder, as the wire has it. */
export function entryToProto(folder: string, entry: ArtifactEntry): tracking.ArtifactEntry {
  const { name, isFolder, sizeBytes, digest, fileCount, createdAt, attempt } = entry;
  return create(tracking.ArtifactEntrySchema, {
    path: folder === "" ? name : `${folder}/${name}`,
    isFolder,
    sizeBytes: BigInt(sizeBytes),
    digest,
    fileCount: BigInt(fileCount),
    createdAt: timestampFromDate(createdAt),
    attempt,
  });
}
