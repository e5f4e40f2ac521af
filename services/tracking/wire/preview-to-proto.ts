import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { Preview } from "../domain/media/preview.ts";
import type { Artifact } from "../domain/run-record.ts";
import { artifactToProto } from "./checkpoint-to-proto.ts";
import { histogramToProto, tableToProto } from "./media.ts";

/** What a file shows of itself, as the wire has it. */
export function previewToProto(artifact: Artifact, preview: Preview): tracking.PreviewArtifactResponse {
  return create(tracking.PreviewArtifactResponseSchema, {
    artifact: artifactToProto(artifact),
    truncated: preview.truncated,
    content: contentOf(preview),
  });
}

function contentOf(preview: Preview): tracking.PreviewArtifactResponse["content"] {
  switch (preview.kind) {
    case "text":
    case "json":
      return { case: preview.kind, value: preview.text };
    case "image": {
      const { facts, data } = preview;
      return { case: "image", value: create(tracking.ImagePreviewSchema, { ...facts, data }) };
    }
    case "table":
      return { case: "table", value: tableToProto(preview.table) };
    case "histogram":
      return { case: "histogram", value: histogramToProto(preview.histogram) };
    case "binary":
      return { case: "binary", value: preview.data };
  }
}
