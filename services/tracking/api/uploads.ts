import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { tracking } from "@trainyard/contracts";
import { principalOf } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { abortUpload, beginUpload, completeUpload, presignParts } from "../operations/uploads.ts";
import { safeNumber } from "../wire/numbers.ts";

type Methods = Pick<
  ServiceImpl<typeof tracking.ArtifactService>,
  "beginUpload" | "presignParts" | "completeUpload" | "abortUpload"
>;

/** Large files on their way into the blob store. The uploads are the blob store's; nothing of them is in the database. */
export function uploadsApi(deps: Deps): Methods {
  return {
    async beginUpload({ digest, sizeBytes }, context) {
      const announced = { digest, sizeBytes: safeNumber("size_bytes", sizeBytes) };
      const begun = await beginUpload(deps, principalOf(context), announced);
      if (begun.kind === "exists") return { exists: true };
      const { uploadId, parts } = begun.state;
      return {
        uploadId,
        partSizeBytes: BigInt(begun.partBytes),
        parts: parts.map((part) => ({ ...part, sizeBytes: BigInt(part.sizeBytes) })),
      };
    },

    async presignParts({ uploadId, parts }, context) {
      const wanted = parts.map(({ partNumber, digest, sizeBytes }) => {
        return { partNumber, digest, sizeBytes: safeNumber("parts.size_bytes", sizeBytes) };
      });
      const places = await presignParts(deps, principalOf(context), uploadId, wanted);
      return {
        parts: places.map(({ partNumber, url, headers, ...place }) => ({
          partNumber,
          url,
          headers: { ...headers },
          ...("expiresAt" in place ? { expiresAt: timestampFromMs(place.expiresAt) } : {}),
        })),
      };
    },

    async completeUpload({ uploadId }, context) {
      const { digest, sizeBytes } = await completeUpload(deps, principalOf(context), uploadId);
      return { digest, sizeBytes: BigInt(sizeBytes) };
    },

    async abortUpload({ uploadId }, context) {
      await abortUpload(deps, principalOf(context), uploadId);
      return {};
    },
  };
}
