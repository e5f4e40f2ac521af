import { z } from "zod";

/**
 * A bundle is a plain tar of files whose names are all of these forms:
 *
 *     trainyard-bundle.json           what this is; the first entry
 *     experiments/<exp_…>.json        an experiment, as ProtoJSON
 *     runs/<run_…>/run.json           a run, as ProtoJSON
 *     runs/<run_…>/notes.json         what people noted, as ProtoJSON
 *     runs/<run_…>/files.json         its artifacts, code and uncommitted changes: path, digest, size
 *     runs/<run_…>/points.ndjson.gz   every visible point, a line per piece of a series
 *     blobs/<sha256>                  content, once however often it is named
 *     manifest.json                   size and SHA-256 of every other entry; the last one
 *
 * Nothing in it says where to write: who reads it never makes a path of a name that it found inside.
 */
export const headName = "trainyard-bundle.json";
export const manifestName = "manifest.json";
export const bundleFormat = "trainyard-bundle";

export const entryName = {
  experiment: (id: string) => `experiments/${id}.json`,
  run: (id: string) => `runs/${id}/run.json`,
  notes: (id: string) => `runs/${id}/notes.json`,
  files: (id: string) => `runs/${id}/files.json`,
  points: (id: string) => `runs/${id}/points.ndjson.gz`,
  blob: (digest: string) => `blobs/${digest}`,
} as const;

const runEntry = /^runs\/run_[0-9a-z]{26}\/(run\.json|notes\.json|files\.json|points\.ndjson\.gz)$/;
const otherEntry =
  /^(trainyard-bundle\.json|manifest\.json|experiments\/exp_[0-9a-z]{26}\.json|blobs\/[0-9a-f]{64})$/;

/** Whether an entry of a bundle may have this name. */
export function isEntryName(name: string): boolean {
  return runEntry.test(name) || otherEntry.test(name);
}

/** Most entries of a bundle, and most bytes of an entry that is read into memory. */
export const maxEntries = 1_000_000;
export const maxJsonBytes = 256 * 1024 * 1024;
/** Most bytes of one line of points, and what a file of points may inflate to. */
export const maxLineBytes = 16 * 1024 * 1024;
export const maxPointsBytes = 64 * 1024 ** 3;

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const size = z.int().min(0);

export const headSchema = z.object({
  format: z.literal(bundleFormat),
  version: z.literal(1),
  createdAt: z.string(),
  experiments: z.array(z.string().regex(/^exp_[0-9a-z]{26}$/)),
  runs: z.array(z.string().regex(/^run_[0-9a-z]{26}$/)),
});
export type BundleHead = z.infer<typeof headSchema>;

export const manifestSchema = z.object({
  entries: z.array(z.object({ name: z.string(), sizeBytes: size, sha256: digest })).max(maxEntries),
});

const fileSchema = z.object({ path: z.string(), digest, sizeBytes: size });
export const filesSchema = z.object({ files: z.array(fileSchema) });
/** A file of a run, as a bundle lists it. */
export type BundledFile = z.infer<typeof fileSchema>;

/** A double: JSON has neither NaN nor infinities, and loses the sign of zero. */
const double = z.union([z.number(), z.enum(["NaN", "Infinity", "-Infinity", "-0"]).transform(Number)]);

export const pieceSchema = z
  .object({
    key: z.string(),
    /** -1 for points that were logged by calls. */
    rank: z.int(),
    /** 0 for a run without a job. */
    attempt: z.int(),
    steps: z.array(z.int()),
    timesMs: z.array(double),
    values: z.array(double),
  })
  .refine(({ steps, timesMs, values }) => steps.length === timesMs.length && steps.length === values.length, {
    message: "expected as many steps as times and values",
  });
