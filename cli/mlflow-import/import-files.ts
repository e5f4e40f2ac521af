import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isDomainError } from "@trainyard/domain";
import type { BlobSource } from "../client/upload-blob.ts";
import type { Problems } from "../moving/problems.ts";
import { hashFile } from "../pack/hash-file.ts";
import type { MlflowFile } from "./mlflow-source.ts";

/** Where files go. */
export interface FilesTarget {
  /** The digests of the files that are there, by path. */
  readonly known: ReadonlyMap<string, string>;
  /** Keeps a file; gives whether it could be. */
  put(path: string, blob: BlobSource): Promise<boolean>;
  /** What they belong to, for messages. */
  readonly of: string;
  readonly problems: Problems;
  readonly signal: AbortSignal;
}

/** Brings files over, but those that are there with the same content. `isWhole` is false when some could not be had. */
export async function importFiles(
  files: AsyncIterable<MlflowFile>,
  target: FilesTarget,
): Promise<{ readonly files: number; readonly isWhole: boolean }> {
  let sent = 0;
  try {
    for await (const file of files) {
      target.signal.throwIfAborted();
      sent += Number(await importFile(file, target));
    }
  } catch (error) {
    if (!isDomainError(error) || !tellable.has(error.reason)) throw error;
    // Of many runs it is the same folder that is missing: that is told once.
    const what = error.reason === "ARTIFACTS_NOT_HERE" ? "files" : `files of ${target.of}`;
    target.problems.add(what, error.message);
    return { files: sent, isWhole: false };
  }
  return { files: sent, isWhole: true };
}

/** Files that cannot be had keep neither what they belong to nor the others out. */
const tellable = new Set(["ARTIFACTS_UNREACHABLE", "ARTIFACTS_NOT_HERE", "MLFLOW_REFUSED"]);

async function importFile({ path, content }: MlflowFile, { known, put }: FilesTarget): Promise<boolean> {
  const name = path.normalize("NFC");
  if ("file" in content) {
    const { digest, sizeBytes } = await hashFile(content.file);
    if (known.get(name) === digest) return false;
    return put(name, { digest, sizeBytes, content });
  }
  const folder = await mkdtemp(join(tmpdir(), "trainyard-import-"));
  try {
    const file = join(folder, "file");
    const hash = createHash("sha256");
    let sizeBytes = 0;
    const measured = async function* () {
      for await (const chunk of content.download()) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        yield chunk;
      }
    };
    await pipeline(Readable.from(measured()), createWriteStream(file, { mode: 0o600 }));
    const digest = hash.digest("hex");
    if (known.get(name) === digest) return false;
    return await put(name, { digest, sizeBytes, content: { file } });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
