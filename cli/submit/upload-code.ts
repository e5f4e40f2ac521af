import { createHash } from "node:crypto";
import { uploadBlob } from "../client/upload-blob.ts";
import type { UploadedCode } from "../job-file/job-spec.ts";
import { gitState } from "../pack/git-state.ts";
import { packCode } from "../pack/pack-code.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { progressBar } from "../terminal/progress-bar.ts";
import { style } from "../terminal/style.ts";

/** Packs a code folder and stores it with the platform, with the commit it stood at and what differed from it. */
export async function uploadCode(session: Session, folder: string): Promise<UploadedCode> {
  const bundle = await packCode(folder);
  try {
    const { digest, sizeBytes } = bundle;
    const bar = progressBar("uploading code", sizeBytes);
    const { sent } = await uploadBlob(
      session.address,
      { digest, sizeBytes, content: { file: bundle.file } },
      bar.update,
    ).finally(bar.end);
    const git = await gitState(folder);
    const diff = git?.dirtyDiff === undefined ? undefined : await uploadDiff(session, git.dirtyDiff);
    const files = `${bundle.fileCount} ${bundle.fileCount === 1 ? "file" : "files"}`;
    const commit =
      git === undefined
        ? ""
        : `, commit ${git.commit.slice(0, 10)}${diff === undefined ? "" : " with changes"}`;
    session.say(
      style.dim(
        `code       ${files}, ${formatBytes(sizeBytes)} packed, ${sent ? "sent" : "known already"}${commit}`,
      ),
    );
    return {
      digest,
      sizeBytes,
      ...(git === undefined ? {} : { gitCommit: git.commit }),
      ...(diff === undefined ? {} : { dirtyDiffDigest: diff }),
    };
  } finally {
    await bundle.remove();
  }
}

async function uploadDiff(session: Session, bytes: Uint8Array): Promise<string> {
  const digest = createHash("sha256").update(bytes).digest("hex");
  await uploadBlob(session.address, { digest, sizeBytes: bytes.length, content: { bytes } });
  return digest;
}
