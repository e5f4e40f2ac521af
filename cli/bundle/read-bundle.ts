import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { DomainError } from "@trainyard/domain";
import { Header } from "tar";
import { z } from "zod";
import {
  type BundleHead,
  headName,
  headSchema,
  isEntryName,
  manifestName,
  manifestSchema,
  maxEntries,
  maxJsonBytes,
} from "./bundle-format.ts";
import { padding } from "./tar-writer.ts";

const block = 512;

const chunkBytes = 256 * 1024;

/** A part of the file. */
interface Range {
  readonly offset: number;
  readonly sizeBytes: number;
}

interface Entry extends Range {
  readonly sha256: string;
}

/**
 * A bundle that was read once from end to end and found whole: each entry is a plain file of a name that bundles have, with
 * the size and digest that the manifest tells. Its parts are read from the same open file.
 */
export class Bundle {
  readonly head: BundleHead;
  readonly #file: FileHandle;
  readonly #entries: ReadonlyMap<string, Entry>;

  private constructor(file: FileHandle, entries: ReadonlyMap<string, Entry>, head: BundleHead) {
    this.#file = file;
    this.#entries = entries;
    this.head = head;
  }

  /** Opens and checks a bundle. Throws BUNDLE_INVALID for what is none, is cut short, was changed, or holds anything else. */
  static async open(path: string, signal: AbortSignal): Promise<Bundle> {
    const file = await open(path, "r").catch((error: unknown) => {
      throw new DomainError("not_found", "BUNDLE_NOT_FOUND", `${path} cannot be read: ${String(error)}`);
    });
    try {
      const entries = await scan(file, signal);
      const [first] = entries;
      if (first?.[0] !== headName) throw invalid(`it does not begin with ${headName}`);
      const head = parse(headName, headSchema, await bytesOf(file, first[1]));
      await assertManifest(file, entries);
      return new Bundle(file, entries, head);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** What tells one content of this entry from another. Throws BUNDLE_INVALID when there is none. */
  digest(name: string): string {
    return this.#entry(name).sha256;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  size(name: string): number {
    return this.#entry(name).sizeBytes;
  }

  bytes(name: string): Promise<Buffer> {
    return bytesOf(this.#file, this.#entry(name));
  }

  /** The JSON of an entry, as the schema has it. */
  async json<T>(name: string, schema: z.ZodType<T>): Promise<T> {
    return parse(name, schema, await this.bytes(name));
  }

  stream(name: string): AsyncIterable<Uint8Array> {
    return chunksOf(this.#file, this.#entry(name));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw invalid(`it lacks ${name}`);
    return entry;
  }
}

/** Reads every entry of a tar once, and says where each is and what it hashes to. */
async function scan(file: FileHandle, signal: AbortSignal): Promise<Map<string, Entry>> {
  const { size: end } = await file.stat();
  const entries = new Map<string, Entry>();
  for (let at = 0; ; ) {
    signal.throwIfAborted();
    if (at + block > end) throw invalid("it is cut short");
    const header = new Header(await bytesOf(file, { offset: at, sizeBytes: block }));
    if (header.nullBlock) break;
    const name = header.path ?? "";
    const sizeBytes = header.size ?? -1;
    const problem = headerProblem(header, name, entries);
    if (problem !== undefined) throw invalid(problem);
    const offset = at + block;
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || offset + sizeBytes > end)
      throw invalid(`it is cut short in ${name}, or the size told of it is wrong`);
    const sha256 = await digestOf(file, { offset, sizeBytes }, signal);
    if (name.startsWith("blobs/") && name !== `blobs/${sha256}`)
      throw invalid(`${name} has the digest ${sha256}: it was changed`);
    entries.set(name, { offset, sizeBytes, sha256 });
    if (name === manifestName) break;
    at = offset + sizeBytes + padding(sizeBytes);
  }
  return entries;
}

function headerProblem(
  header: Header,
  name: string,
  entries: ReadonlyMap<string, Entry>,
): string | undefined {
  const shown = JSON.stringify(name.slice(0, 200));
  if (!header.cksumValid) return "it is no tar, or a header in it was changed";
  if (header.type !== "File")
    return `its entry ${shown} is a ${header.type}; only plain files are in a bundle`;
  if (!isEntryName(name)) return `its entry ${shown} has a name that none in a bundle has`;
  if (entries.has(name)) return `its entry ${shown} is there twice`;
  return entries.size >= maxEntries ? `it has more than ${maxEntries} entries` : undefined;
}

async function assertManifest(file: FileHandle, entries: ReadonlyMap<string, Entry>): Promise<void> {
  const own = entries.get(manifestName);
  if (own === undefined) throw invalid(`it is cut short: ${manifestName} is missing at its end`);
  const { entries: told } = parse(manifestName, manifestSchema, await bytesOf(file, own));
  if (told.length !== entries.size - 1)
    throw invalid(`it has ${entries.size - 1} entries, and its manifest tells of ${told.length}`);
  for (const { name, sizeBytes, sha256 } of told) {
    const found = entries.get(name);
    if (found?.sha256 !== sha256 || found.sizeBytes !== sizeBytes)
      throw invalid(`${name} is not what the manifest tells of it: it was changed`);
  }
}

async function digestOf(file: FileHandle, range: Range, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of chunksOf(file, range)) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  return hash.digest("hex");
}

async function* chunksOf(file: FileHandle, { offset, sizeBytes }: Range): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < sizeBytes; ) {
    const bytes = Buffer.allocUnsafe(Math.min(chunkBytes, sizeBytes - done));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, offset + done);
    if (bytesRead === 0) throw invalid("it is cut short");
    done += bytesRead;
    yield bytes.subarray(0, bytesRead);
  }
}

async function bytesOf(file: FileHandle, range: Range): Promise<Buffer> {
  if (range.sizeBytes > maxJsonBytes)
    throw invalid(`an entry that is read whole has more than ${maxJsonBytes} bytes`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(file, range)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function parse<T>(name: string, schema: z.ZodType<T>, bytes: Buffer): T {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw invalid(`${name} is no JSON`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalid(`${name}: ${z.prettifyError(result.error).replaceAll("\n", " ").slice(0, 500)}`);
}

export function invalid(why: string): DomainError {
  return new DomainError(
    "failed_precondition",
    "BUNDLE_INVALID",
    `this is no bundle that can be imported: ${why}. Nothing was imported; export it again.`,
  );
}
