/** What the platform takes of a run, as its contract says; told here so that one thing beyond it does not stop the rest. */
export const maxKeyCharacters = 250;
export const maxParamBytes = 6_000;
export const maxTagBytes = 8_000;
/** Points of one call. */
export const maxBatchPoints = 32_768;
/** Parameters or tags of one call. */
export const maxEntriesPerCall = 1_000;

const maxStep = BigInt(Number.MAX_SAFE_INTEGER);

/** Why a metric cannot have this name; undefined when it can. */
export function metricKeyProblem(key: string): string | undefined {
  if (key === "") return "its name is empty";
  if (!key.isWellFormed() || /\p{Cc}/u.test(key)) return "its name holds a control character or no Unicode";
  return key.length > maxKeyCharacters ? `its name is longer than ${maxKeyCharacters} characters` : undefined;
}

/** Why a point cannot be at this step; undefined when it can. */
export function stepProblem(step: bigint): string | undefined {
  return step > maxStep || step < -maxStep ? `its step is beyond ±${maxStep}` : undefined;
}

/** Why a parameter or tag cannot be kept; undefined when it can. */
export function entryProblem(key: string, value: string, maxBytes: number): string | undefined {
  if (key === "") return "its name is empty";
  if (key.length > maxKeyCharacters) return `its name is longer than ${maxKeyCharacters} characters`;
  if (!key.isWellFormed() || !value.isWellFormed()) return "it is no valid Unicode";
  const bytes = Buffer.byteLength(value, "utf8");
  return bytes > maxBytes ? `its value has ${bytes} bytes, more than ${maxBytes}` : undefined;
}
