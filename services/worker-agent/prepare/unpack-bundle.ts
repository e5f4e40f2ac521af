import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract, list } from "tar";
import {
  type BundleEntry,
  bundleProblem,
  MAX_BUNDLE_BYTES,
  MAX_BUNDLE_ENTRIES,
} from "../domain/bundle-guard.ts";

/** Headers and padding that a tar adds to each entry, at most, for the names that the limits allow. */
const TAR_OVERHEAD_BYTES = 4096;

export interface UnpackLimits {
  readonly entries: number;
  readonly bytes: number;
}

/** A code bundle is not what it should be; says which entry or limit. */
export class BundleError extends Error {
  override readonly name = "BundleError";
}

/**
 * Unpacks a gzipped tar into a new folder. It is first inflated into a plain tar beside the folder with a cap on the
 * bytes (so a bomb stops there, whatever its headers claim), then every entry is checked, and only then is anything
 * placed: a bad bundle leaves nothing. Throws `BundleError` for a bundle that is refused or broken.
 */
export async function unpackBundle(
  bundle: string,
  folder: string,
  limits: UnpackLimits = { entries: MAX_BUNDLE_ENTRIES, bytes: MAX_BUNDLE_BYTES },
): Promise<void> {
  const plain = `${folder}.tar`;
  try {
    await inflate(bundle, plain, limits);
    const problem = bundleProblem(await entriesOf(plain, limits), limits);
    if (problem !== undefined) throw new BundleError(`the code bundle is refused: ${problem}`);
    await mkdir(folder, { mode: 0o700 });
    await extract({ file: plain, cwd: folder, strict: true, preserveOwner: false, noMtime: true });
  } finally {
    await rm(plain, { force: true });
  }
}

async function inflate(bundle: string, plain: string, limits: UnpackLimits): Promise<void> {
  const cap = limits.bytes + limits.entries * TAR_OVERHEAD_BYTES;
  let size = 0;
  const capped = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size > cap)
        done(new BundleError(`the code bundle is refused: it unpacks to more than ${limits.bytes} bytes`));
      else done(null, chunk);
    },
  });
  try {
    await pipeline(
      createReadStream(bundle),
      createGunzip(),
      capped,
      createWriteStream(plain, { mode: 0o600 }),
    );
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code.startsWith("Z_"))
      throw new BundleError(`the code bundle is no sound gzip file (${code})`, { cause: error });
    throw error;
  }
}

async function entriesOf(plain: string, limits: UnpackLimits): Promise<BundleEntry[]> {
  const entries: BundleEntry[] = [];
  try {
    await list({
      file: plain,
      strict: true,
      onReadEntry: (entry) => {
        // One more than allowed is enough to refuse it.
        if (entries.length > limits.entries) return;
        entries.push({ path: entry.path, type: entry.type, linkPath: entry.linkpath, sizeBytes: entry.size });
      },
    });
  } catch (error) {
    throw new BundleError("the code bundle is no sound tar archive", { cause: error });
  }
  return entries;
}
