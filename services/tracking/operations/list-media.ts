import type { Deps } from "../deps.ts";
import {
  type MediaKind,
  type MediaPlace,
  mediaFolder,
  mediaKinds,
  parseMediaPath,
} from "../domain/media/media-path.ts";
import type { Artifact } from "../domain/run-record.ts";

/** Which media of a run. */
export interface MediaFilter {
  readonly runId: string;
  readonly kind: MediaKind | undefined;
  /** Empty for any. */
  readonly key: string;
  readonly minStep: number;
  readonly maxStep: number;
  /** Path of the last one of the page before. */
  readonly after: string;
  readonly limit: number;
}

/** A histogram, image or table with its file. */
export interface FoundMedia {
  readonly place: MediaPlace;
  readonly artifact: Artifact;
}

/** By kind, key, step and rank, as their paths are ordered; reads no more than it gives, but for steps that are left out. */
export async function listMedia(deps: Deps, filter: MediaFilter): Promise<FoundMedia[]> {
  const { runId, kind, key, after, limit } = filter;
  const found: FoundMedia[] = [];
  for (const each of kind === undefined ? mediaKinds : [kind]) {
    for await (const artifact of deps.records.artifacts.walk(runId, mediaFolder(each, key), after)) {
      const place = parseMediaPath(artifact.path);
      if (place === undefined || !isAskedFor(place, filter)) continue;
      found.push({ place, artifact });
      if (found.length === limit) return found;
    }
  }
  return found;
}

function isAskedFor({ key, step }: MediaPlace, filter: MediaFilter): boolean {
  // A key that goes on after a slash lies in the same folder.
  return (filter.key === "" || key === filter.key) && step >= filter.minStep && step <= filter.maxStep;
}
