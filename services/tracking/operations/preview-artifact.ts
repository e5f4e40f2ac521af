import { buffer } from "node:stream/consumers";
import type { Deps } from "../deps.ts";
import { MAX_MEDIA_BYTES, MAX_PREVIEW_TEXT_BYTES } from "../domain/limits.ts";
import { type Preview, previewOf } from "../domain/media/preview.ts";
import type { Artifact } from "../domain/run-record.ts";

/** Reads what is small whole, and so checked against its digest; of what is large the beginning, so that it costs as little. */
export async function previewArtifact(
  { blobs }: Pick<Deps, "blobs">,
  { path, digest, sizeBytes }: Artifact,
): Promise<Preview> {
  const whole = sizeBytes <= MAX_MEDIA_BYTES;
  const range = whole ? undefined : { start: 0, end: MAX_PREVIEW_TEXT_BYTES - 1 };
  return previewOf(path, await buffer(await blobs.open(digest, range)), whole);
}
