import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { assertDigest, holderName } from "@trainyard/blob";
import { registry } from "@trainyard/contracts";
import { assertArtifactPath, DomainError } from "@trainyard/domain";
import { mutate, projectOf } from "@trainyard/service";
import { limitExceeded } from "../domain/catalog.ts";
import type { StoredFile } from "../domain/model-version.ts";
import type { RegistryParts } from "./deps.ts";

const MAX_FILES = 10_000;

/** A committed reference lasts until it is given up; pins have an end, so this is longer than anybody keeps a model. */
const REFERENCE_TTL_MS = 10 * 365 * 24 * 60 * 60 * 1000;

const holderOf = (project: string, id: string) => holderName({ kind: "logged-model", project, id });

/** Records a file: pinned first, then looked for, so that no collection comes between. */
export async function putFile(
  { store, loggedModels, blobs }: RegistryParts,
  request: registry.PutLoggedModelFileRequest,
  context: HandlerContext,
): Promise<registry.PutLoggedModelFileResponse> {
  const project = projectOf(context);
  const file = checkedFile(request);
  await loggedModels.get(project, request.id);
  await blobs.pin(file.digest, { holder: holderOf(project, request.id), ttlMs: REFERENCE_TTL_MS });
  const stored = await blobs.stat(file.digest);
  if (stored?.sizeBytes !== file.sizeBytes) {
    throw new DomainError(
      "failed_precondition",
      "BLOB_MISSING",
      `File ${JSON.stringify(file.path)} (${file.digest}, ${file.sizeBytes} bytes) is not in the blob store; upload it whole, then report it again.`,
    );
  }
  const replaced = await mutateWithFiles();
  await release({ loggedModels, blobs }, project, request.id, replaced);
  return create(registry.PutLoggedModelFileResponseSchema);

  async function mutateWithFiles(): Promise<readonly StoredFile[]> {
    let before: readonly StoredFile[] = [];
    await mutate(store, request, context, registry.PutLoggedModelFileResponseSchema, async (tx) => {
      const files = await loggedModels.files(request.id, tx);
      if (files.length >= MAX_FILES) throw limitExceeded("LOGGED_MODEL_FILES", MAX_FILES, files.length + 1);
      before = files.filter(({ path }) => path === file.path);
      await loggedModels.putFile(project, request.id, file, tx);
      return create(registry.PutLoggedModelFileResponseSchema);
    });
    return before;
  }
}

/** Removes a file, or what is in a folder. */
export async function deleteFiles(
  { store, loggedModels, blobs }: RegistryParts,
  request: registry.DeleteLoggedModelFilesRequest,
  context: HandlerContext,
): Promise<registry.DeleteLoggedModelFilesResponse> {
  const project = projectOf(context);
  await loggedModels.get(project, request.id);
  let removed: readonly StoredFile[] = [];
  const answer = await mutate(
    store,
    request,
    context,
    registry.DeleteLoggedModelFilesResponseSchema,
    async (tx) => {
      const files = await loggedModels.files(request.id, tx);
      removed = files.filter(
        ({ path }) => request.path === "" || path === request.path || path.startsWith(`${request.path}/`),
      );
      await loggedModels.deleteFiles(
        request.id,
        removed.map(({ path }) => path),
        tx,
      );
      return create(registry.DeleteLoggedModelFilesResponseSchema, { deletedCount: removed.length });
    },
  );
  await release({ loggedModels, blobs }, project, request.id, removed);
  return answer;
}

export async function listFiles(
  { loggedModels }: RegistryParts,
  { id }: registry.ListLoggedModelFilesRequest,
  context: HandlerContext,
): Promise<registry.ListLoggedModelFilesResponse> {
  await loggedModels.get(projectOf(context), id);
  const files = (await loggedModels.files(id)).map((file) => ({
    ...file,
    sizeBytes: BigInt(file.sizeBytes),
  }));
  return create(registry.ListLoggedModelFilesResponseSchema, { files });
}

/** Gives up the bytes of files that the model no longer has; dying before only keeps them longer. A version made of them has its own word to say. */
async function release(
  { loggedModels, blobs }: Pick<RegistryParts, "loggedModels" | "blobs">,
  project: string,
  modelId: string,
  files: readonly StoredFile[],
): Promise<void> {
  const kept = new Set((await loggedModels.files(modelId)).map(({ digest }) => digest));
  const released = files.filter(({ digest }) => !kept.has(digest));
  await Promise.all(released.map(({ digest }) => blobs.unpin(digest, holderOf(project, modelId))));
}

function checkedFile({ file }: registry.PutLoggedModelFileRequest): StoredFile {
  const { path = "", digest = "", sizeBytes = 0n } = file ?? {};
  assertArtifactPath("file.path", path);
  assertDigest("file.digest", digest);
  return { path, digest, sizeBytes: Number(sizeBytes) };
}
