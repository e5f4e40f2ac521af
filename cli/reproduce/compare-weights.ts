/** A file of saved state. */
export interface SavedFile {
  readonly rank: number;
  readonly path: string;
  readonly digest: string;
}

/** What a run saved of itself. */
export interface SavedWeights {
  /** Committed checkpoints that the script asked for, in any order. */
  readonly checkpoints: readonly { readonly step: number; readonly files: readonly SavedFile[] }[];
  /** Files of the model it logged; empty when it logged none. */
  readonly model: readonly SavedFile[];
}

/** One file of both runs; a digest is null where one of them has no such file. */
export interface FilePair {
  readonly of: "checkpoint" | "model";
  readonly rank: number;
  readonly path: string;
  readonly digests: readonly [string | null, string | null];
  readonly identical: boolean;
  /** Whether it holds tensors; generator states and data positions do not decide. */
  readonly decides: boolean;
}

/** Whether two trainings ended with the same weights. */
export interface WeightsComparison {
  readonly verdict: "identical" | "differs" | "not-comparable";
  /** One sentence. */
  readonly reason: string;
  /** The step whose checkpoints were compared; null when none were. */
  readonly step: number | null;
  readonly files: readonly FilePair[];
}

/**
 * Compares the newest step at which both have a checkpoint, file by file, and their models. Identical are runs whose last
 * checkpoint is of the same step, or which both logged a model, and of which no file of tensors differs.
 */
export function compareWeights(original: SavedWeights, again: SavedWeights): WeightsComparison {
  const [ours, theirs] = [byStep(original), byStep(again)];
  const step = Math.max(...[...ours.keys()].filter((one) => theirs.has(one)));
  const isFound = Number.isFinite(step);
  const files = [
    ...pairs("checkpoint", (isFound ? ours.get(step) : undefined) ?? [], theirs.get(step) ?? []),
    ...(original.model.length > 0 && again.model.length > 0
      ? pairs("model", original.model, again.model)
      : []),
  ];
  return { ...judged(files, newest(original), newest(again)), step: isFound ? step : null, files };
}

function judged(
  files: readonly FilePair[],
  last: number | undefined,
  lastAgain: number | undefined,
): Pick<WeightsComparison, "verdict" | "reason"> {
  const deciding = files.filter(({ decides }) => decides);
  if (deciding.length === 0)
    return {
      verdict: "not-comparable",
      reason: `no checkpoint of the same step and no model is there of both: the last checkpoints are of ${stepText(last)} and ${stepText(lastAgain)}`,
    };
  const different = deciding.filter(({ identical }) => !identical);
  if (different.length > 0)
    return {
      verdict: "differs",
      reason: `of ${deciding.length} files with tensors ${different.length} differ`,
    };
  if (last !== lastAgain && !deciding.some((file) => file.of === "model"))
    return {
      verdict: "not-comparable",
      reason: `the newest checkpoints of a common step are the same, but the last ones are of ${stepText(last)} and ${stepText(lastAgain)}; a script that saves at its last step can be compared`,
    };
  const others = files.filter(({ identical, decides }) => !identical && !decides).length;
  const beside = others === 0 ? "" : `; ${others} files with generator states or data positions differ`;
  return {
    verdict: "identical",
    reason: `all ${deciding.length} files with tensors have the same digest${beside}`,
  };
}

function byStep({ checkpoints }: SavedWeights): ReadonlyMap<number, readonly SavedFile[]> {
  return new Map(checkpoints.map(({ step, files }) => [step, files]));
}

function newest({ checkpoints }: SavedWeights): number | undefined {
  return checkpoints.length === 0 ? undefined : Math.max(...checkpoints.map(({ step }) => step));
}

function pairs(of: FilePair["of"], a: readonly SavedFile[], b: readonly SavedFile[]): FilePair[] {
  const [ours, theirs] = [named(a), named(b)];
  return [...new Map([...ours, ...theirs])].map(([name, { rank, path }]) => {
    const digests = [ours.get(name)?.digest ?? null, theirs.get(name)?.digest ?? null] as const;
    return { of, rank, path, digests, identical: digests[0] === digests[1], decides: holdsTensors(path) };
  });
}

function named(files: readonly SavedFile[]): ReadonlyMap<string, SavedFile> {
  return new Map(files.map((file) => [`${file.rank} ${file.path}`, file]));
}

/** The SDK's and torch's own JSON tells of weights and holds none. */
function holdsTensors(path: string): boolean {
  return !path.endsWith(".json");
}

function stepText(step: number | undefined): string {
  return step === undefined ? "none" : `step ${step}`;
}
