import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { UpstreamCall, Upstreams } from "../proxy/upstreams.ts";

const PAGE_SIZE = 500;

/** Every file below a folder of a run, by path. Throws ARCHIVE_TOO_LARGE when there are more than `limit`. */
export async function listFiles(
  upstreams: Upstreams,
  call: UpstreamCall,
  runId: string,
  folder: string,
  limit: number,
): Promise<tracking.ArtifactEntry[]> {
  const { listArtifactTree } = tracking.ArtifactService.method;
  const files: tracking.ArtifactEntry[] = [];
  const folders = [folder];
  for (let path = folders.pop(); path !== undefined; path = folders.pop()) {
    for (let pageToken: string | undefined = ""; pageToken !== undefined; ) {
      const page = { pageSize: PAGE_SIZE, pageToken };
      const request = create(listArtifactTree.input, { runId, path, page });
      const answer: tracking.ListArtifactTreeResponse = await upstreams.unary(
        listArtifactTree,
        request,
        call,
      );
      for (const entry of answer.entries) {
        if (entry.isFolder) folders.push(entry.path);
        else files.push(entry);
      }
      if (files.length > limit) throw tooMany(limit);
      pageToken = answer.page?.nextPageToken || undefined;
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function tooMany(limit: number): DomainError {
  return new DomainError(
    "resource_exhausted",
    "ARCHIVE_TOO_LARGE",
    `There are more than ${limit} files below that folder (MAX_ARCHIVE_FILES). Ask for one of its folders.`,
  );
}
