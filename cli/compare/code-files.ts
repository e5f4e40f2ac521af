import { createHash } from "node:crypto";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { DomainError } from "@trainyard/domain";
import { Parser, type ReadEntry } from "tar";

/** A file above this is compared by its digest only. */
export const maxTextBytes = 1024 * 1024;
/** Text kept of one bundle, at most; further files are compared by their digest. */
const maxKeptBytes = 64 * 1024 * 1024;
/** What a bundle may inflate to: the packer's limit on files, and as much again for headers. */
const maxInflatedBytes = 2 * 1024 ** 3;
const maxFiles = 40_000;

/** One file of a code bundle. */
export interface CodeFile {
  readonly digest: string;
  readonly sizeBytes: number;
  /** Its text; absent when it is binary or too large to be shown. */
  readonly text?: string;
}

export type CodeFiles = ReadonlyMap<string, CodeFile>;

/**
 * Reads a gzipped tar of code as it comes, without writing anything to disk. Links are files whose text is their target.
 * Throws CODE_BUNDLE_INVALID for what is no such archive or unpacks to more than any bundle may.
 */
export async function codeFilesOf(bundle: AsyncIterable<Uint8Array>): Promise<CodeFiles> {
  const files = new Map<string, CodeFile>();
  const budget = { bytes: maxKeptBytes };
  const parser = new Parser({ strict: true });
  parser.on("entry", (entry: ReadEntry) => readEntry(entry, files, budget));
  try {
    await pipeline(Readable.from(bundle), createGunzip(), capped(files), parser);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError("failed_precondition", "CODE_BUNDLE_INVALID", "the code bundle is no gzipped tar", {
      cause: error,
    });
  }
  return files;
}

function readEntry(entry: ReadEntry, files: Map<string, CodeFile>, budget: { bytes: number }): void {
  const path = entry.path.replace(/^\.\//, "");
  if (entry.type === "SymbolicLink") {
    const target = `-> ${entry.linkpath ?? ""}`;
    files.set(path, { digest: sha256(target), sizeBytes: target.length, text: `${target}\n` });
    entry.resume();
    return;
  }
  if (entry.type !== "File" && entry.type !== "OldFile") {
    entry.resume();
    return;
  }
  const hash = createHash("sha256");
  const kept: Buffer[] = [];
  const keep = entry.size <= Math.min(maxTextBytes, budget.bytes);
  if (keep) budget.bytes -= entry.size;
  entry.on("data", (chunk: Buffer) => {
    hash.update(chunk);
    if (keep) kept.push(chunk);
  });
  entry.on("end", () => {
    const text = keep ? textOf(Buffer.concat(kept)) : undefined;
    files.set(path, {
      digest: hash.digest("hex"),
      sizeBytes: entry.size,
      ...(text === undefined ? {} : { text }),
    });
  });
}

/** The bytes as text; undefined when they are not UTF-8 or hold a NUL, as git decides what is binary. */
export function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function capped(files: ReadonlyMap<string, CodeFile>): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      const isTooMuch = size > maxInflatedBytes || files.size > maxFiles;
      done(isTooMuch ? tooMuch() : null, chunk);
    },
  });
}

function tooMuch(): DomainError {
  return new DomainError(
    "failed_precondition",
    "CODE_BUNDLE_INVALID",
    `the code bundle unpacks to more than ${maxInflatedBytes} bytes or ${maxFiles} files`,
  );
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
