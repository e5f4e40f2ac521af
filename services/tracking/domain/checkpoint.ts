import { createHash } from "node:crypto";

/** A file in the blob store. */
export interface StoredFile {
  /** Relative path. */
  readonly path: string;
  /** SHA-256 of its content, in hex. */
  readonly digest: string;
  readonly sizeBytes: number;
}

/** What one rank contributed to a checkpoint. */
export interface CheckpointPart {
  readonly rank: number;
  readonly files: readonly StoredFile[];
  /** Offset in the rank's record file at the snapshot: records before it belong to whoever resumes from here. */
  readonly recordsOffset: number;
}

/** Metric values reported with a checkpoint or model. Pairs and no object: a metric's name may be any text. */
export type ReportedMetrics = readonly { readonly key: string; readonly value: number }[];

/**
 * `collecting`: parts are missing. `committed`: every part is stored, so it can be resumed from. `pruned`: was committed,
 * and its files may be gone.
 */
export type CheckpointState = "collecting" | "committed" | "pruned";

/** `periodic`: the script asked for it. `just-in-time`: a rank had died, and the survivors saved the newest whole step. */
export type CheckpointKind = "periodic" | "just-in-time";

/** A checkpoint of a gang, whole or not yet. */
export interface Checkpoint {
  readonly id: string;
  readonly runId: string;
  readonly attempt: number;
  /** The step after which it was taken. */
  readonly step: number;
  readonly kind: CheckpointKind;
  readonly worldSize: number;
  readonly state: CheckpointState;
  /** By rank, ascending. */
  readonly parts: readonly CheckpointPart[];
  readonly metrics: ReportedMetrics;
  /** When its first part arrived. */
  readonly createdAt: Date;
  readonly committedAt?: Date;
  /** Runs that start from it. */
  readonly heldBy?: readonly string[];
}

/** The checkpoint with one more part; unchanged when it has that rank's part. */
export function withPart(checkpoint: Checkpoint, part: CheckpointPart, metrics: ReportedMetrics): Checkpoint {
  if (checkpoint.parts.some(({ rank }) => rank === part.rank)) return checkpoint;
  const parts = [...checkpoint.parts, part].sort((a, b) => a.rank - b.rank);
  const known = new Set(checkpoint.metrics.map(({ key }) => key));
  // Ranks of one gang report the same values; where they differ, the part that came first stays.
  return {
    ...checkpoint,
    parts,
    metrics: [...checkpoint.metrics, ...metrics.filter(({ key }) => !known.has(key))],
  };
}

/** Whether every rank's part is there. */
export function isWhole(checkpoint: Checkpoint): boolean {
  return checkpoint.parts.length === checkpoint.worldSize;
}

/** Whether two reports of one rank's part say the same, whatever the order of the files. */
export function samePart(a: CheckpointPart, b: CheckpointPart): boolean {
  return (
    a.rank === b.rank &&
    a.recordsOffset === b.recordsOffset &&
    a.files.length === b.files.length &&
    filesDigest(a.files) === filesDigest(b.files)
  );
}

/** SHA-256 over the sorted (rank, path, digest) of all files: equal for equal content, whoever wrote it and when. */
export function checkpointDigest(parts: readonly CheckpointPart[]): string {
  return digestOf(
    parts.flatMap(({ rank, files }) => files.map((file) => [String(rank), file.path, file.digest])),
  );
}

/** SHA-256 over the sorted (path, digest) of the files. */
export function filesDigest(files: readonly StoredFile[]): string {
  return digestOf(files.map((file) => [file.path, file.digest]));
}

/** Bytes of all files. */
export function totalBytes(files: readonly StoredFile[]): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}

/** Every file of every part. */
export function filesOf(parts: readonly CheckpointPart[]): StoredFile[] {
  return parts.flatMap((part) => part.files);
}

function digestOf(entries: readonly (readonly string[])[]): string {
  const hash = createHash("sha256");
  for (const line of entries.map((entry) => JSON.stringify(entry)).sort()) hash.update(`${line}\n`);
  return hash.digest("hex");
}
