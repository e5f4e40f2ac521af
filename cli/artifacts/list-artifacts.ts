import type { tracking } from "@trainyard/contracts";
import type { Clients } from "../client/clients.ts";
import { collectPages } from "../client/collect-pages.ts";

type Artifacts = Clients["artifacts"];

/** What is directly in a folder. */
export async function folderOf(
  artifacts: Artifacts,
  runId: string,
  path: string,
): Promise<tracking.ArtifactEntry[]> {
  const { items } = await collectPages(Number.POSITIVE_INFINITY, async (page) => {
    const response = await artifacts.listArtifactTree({ runId, path, page });
    return { items: response.entries, next: response.page?.nextPageToken ?? "" };
  });
  return [...items];
}

/** Every file below a folder, by path. */
export async function filesBelow(
  artifacts: Artifacts,
  runId: string,
  path: string,
): Promise<tracking.ArtifactEntry[]> {
  const files: tracking.ArtifactEntry[] = [];
  for (const entry of await folderOf(artifacts, runId, path)) {
    if (entry.isFolder) files.push(...(await filesBelow(artifacts, runId, entry.path)));
    else files.push(entry);
  }
  return files;
}
