import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DomainError } from "@trainyard/domain";
import { create } from "tar";
import { formatBytes } from "../terminal/bytes.ts";
import { type BundleFile, listFiles } from "./list-files.ts";

/** What the platform takes, told before anything is sent. */
export const maxBundlePackedBytes = 256 * 1024 * 1024;
export const maxBundleBytes = 1024 ** 3;
export const maxBundleFiles = 20_000;

/** A packed code folder in a temporary file. */
export interface CodeBundle {
  readonly file: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly fileCount: number;
  /** Removes the temporary file. */
  remove(): Promise<void>;
}

/**
 * Packs a code folder as a gzipped tar. The same files give the same bytes on every machine (order, times, owners and
 * modes are fixed), so that code that was sent before is recognised. Throws CODE_FOLDER_NOT_FOUND, CODE_FOLDER_EMPTY and
 * CODE_TOO_LARGE, which names the largest files.
 */
export async function packCode(folder: string): Promise<CodeBundle> {
  const root = resolve(folder);
  if (!(await isFolder(root))) {
    throw new DomainError(
      "not_found",
      "CODE_FOLDER_NOT_FOUND",
      `there is no folder ${root}: "code" of the job file names the folder with the code, relative to the file`,
    );
  }
  const files = await listFiles(root);
  assertSize(root, files);
  const dir = await mkdtemp(join(tmpdir(), "trainyard-code-"));
  const file = join(dir, "code.tgz");
  const remove = () => rm(dir, { recursive: true, force: true });
  try {
    const { digest, sizeBytes } = await writeBundle(root, files, file);
    return { file, digest, sizeBytes, fileCount: files.length, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function writeBundle(root: string, files: readonly BundleFile[], file: string) {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length;
      hash.update(chunk);
      done(
        sizeBytes > maxBundlePackedBytes ? tooLarge(root, files, "packed", maxBundlePackedBytes) : null,
        chunk,
      );
    },
  });
  const archive = create(
    {
      cwd: root,
      gzip: { level: 6 },
      portable: true,
      mtime: new Date(0),
      noDirRecurse: true,
      strict: true,
      filter: (_path, entry) => {
        entry.mode = plainMode(entry.mode ?? 0);
        return true;
      },
    },
    // "./" keeps a name that begins with "@" from being taken for an archive.
    files.map(({ path }) => `./${path}`),
  );
  await pipeline(archive, measure, createWriteStream(file, { mode: 0o600 }));
  return { digest: hash.digest("hex"), sizeBytes };
}

/** The file's type, and of its permissions only whether it can be executed: the rest is the umask's. */
function plainMode(mode: number): number {
  return (mode & ~0o7777) | ((mode & 0o100) === 0 ? 0o644 : 0o755);
}

function assertSize(root: string, files: readonly BundleFile[]): void {
  if (files.length === 0) {
    throw new DomainError(
      "invalid_argument",
      "CODE_FOLDER_EMPTY",
      `${root} holds no file that would travel with the job: check "code" and .gitignore`,
    );
  }
  if (files.length > maxBundleFiles) {
    throw new DomainError(
      "invalid_argument",
      "CODE_TOO_LARGE",
      `${root} holds ${files.length} files, more than ${maxBundleFiles} (maxBundleFiles): name what does not belong to the code in .gitignore`,
    );
  }
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (total > maxBundleBytes) throw tooLarge(root, files, "in all", maxBundleBytes);
}

function tooLarge(root: string, files: readonly BundleFile[], what: string, limit: number): DomainError {
  const largest = [...files].sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, 3);
  const named = largest.map(({ path, sizeBytes }) => `${path} (${formatBytes(sizeBytes)})`).join(", ");
  return new DomainError(
    "invalid_argument",
    "CODE_TOO_LARGE",
    `${root} has more than ${formatBytes(limit)} ${what}; the largest files are ${named}. Name data in .gitignore and register it with "trainyard datasets register".`,
  );
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
