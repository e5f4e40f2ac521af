/** What a rank has to say besides numbers; the JSON records of `records.bin`, checked. */
export type RankRecord =
  | { readonly kind: "first_step"; readonly atMs: number }
  /** What the rank does from now on besides training steps; empty when it trains again. */
  | { readonly kind: "phase"; readonly name: string }
  | CheckpointRecord
  | { readonly kind: "artifact"; readonly path: string; readonly file: string }
  | ModelRecord
  | RecoveryRecord
  | HandoverRecord
  | FactsRecord
  /** Known or not, there is nothing to do for it. */
  | { readonly kind: "ignored"; readonly of: string };

/** What the rank says about the run in words. */
export interface FactsRecord {
  readonly kind: "params" | "tags" | "note";
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  /** Empty for none. */
  readonly note: string;
  /** The step that the note is about, of this metric or of all; absent for the whole run. */
  readonly noteAt?: { readonly step: number; readonly key: string };
}

export interface CheckpointRecord {
  readonly kind: "checkpoint";
  /** Whether the survivors of a rank's death saved it. */
  readonly justInTime: boolean;
  readonly step: number;
  /** End of the records that belong to the history of whoever resumes from it. */
  readonly recordsOffset: number;
  /** Folder of its files, relative to the attempt's directory. */
  readonly dir: string;
  readonly files: readonly CheckpointFile[];
  /** Whether the files are pipes that the rank serves from memory: nothing of them is on the disk. */
  readonly stream: boolean;
  readonly worldSize: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface CheckpointFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-256, told of files that are served from memory; empty otherwise. */
  readonly digest: string;
}

/** What the death of a rank costs the run, as its script uses the SDK. */
export interface RecoveryRecord {
  readonly kind: "recovery";
  readonly mode: "just-in-time" | "last-checkpoint";
  readonly reason: string;
  readonly message: string;
}

/** What became of the gang's state after a rank had died. */
export interface HandoverRecord {
  readonly kind: "handover";
  readonly saved: boolean;
  /** -1 when nothing was saved. */
  readonly step: number;
  readonly reason: string;
  readonly message: string;
  readonly seconds: number;
}

export interface ModelRecord {
  readonly kind: "model";
  readonly name: string;
  readonly dir: string;
  readonly framework: string;
  readonly inputs: readonly TensorRecord[];
  readonly outputs: readonly TensorRecord[];
  readonly metrics: Readonly<Record<string, number>>;
  /** -1 when not told. */
  readonly step: number;
}

export interface TensorRecord {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** Most files of one checkpoint part or model. */
export const MAX_RECORD_FILES = 10_000;
/** Most metric values that one record may carry. */
export const MAX_RECORD_METRICS = 1_000;
/** Longest text in a record. */
export const MAX_RECORD_TEXT = 4_096;
/** Of a reason and its sentence, tracking takes so many characters. */
const MAX_REASON = 64;
const MAX_MESSAGE = 1_000;
const MAX_TENSORS = 1_000;
const MAX_DIMENSIONS = 64;

/** Why a record is not understood; told to the operator's log, for it is the user's process that wrote it. */
export class RecordError extends Error {
  override readonly name = "RecordError";
}

/** Reads the JSON of a record. Throws `RecordError`; never anything else, whatever the text. */
export function parseRankRecord(json: string): RankRecord {
  const value = asObject("the record", parseJson(json));
  const kind = asText("kind", value.kind);
  switch (kind) {
    case "first_step":
      return { kind, atMs: asFinite("at", value.at) * 1000 };
    case "phase":
      return { kind, name: value.name === "" ? "" : asText("name", value.name) };
    case "checkpoint":
      return checkpointOf(value);
    case "artifact":
      return { kind, path: asText("path", value.path), file: asText("file", value.file) };
    case "model":
      return modelOf(value);
    case "params":
    case "tags":
    case "note":
      return factsOf(kind, value);
    case "recovery":
      return recoveryOf(value);
    case "handover":
      return handoverOf(value);
    default:
      return { kind: "ignored", of: kind.slice(0, 64) };
  }
}

type Json = Readonly<Record<string, unknown>>;

/** Tracking holds them against its limits, and refuses what is over them by name. */
function factsOf(kind: FactsRecord["kind"], value: Json): FactsRecord {
  const none = { kind, params: {}, tags: {}, note: "" };
  if (kind === "note") {
    const note = typeof value.text === "string" ? value.text : fail("text", "a text");
    if (value.step === undefined || value.step === null) return { ...none, note };
    const key = value.key === undefined || value.key === "" ? "" : asText("key", value.key);
    return { ...none, note, noteAt: { step: asStep(value.step), key } };
  }
  return { ...none, [kind]: asTexts(kind, value[kind]) };
}

/** A text as it is, anything else as JSON: as a job file's parameters are compared. */
function asTexts(field: string, value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(asObject(field, value)).map(([key, given]) => [
      key,
      typeof given === "string" ? given : JSON.stringify(given),
    ]),
  );
}

function checkpointOf(value: Json): CheckpointRecord {
  return {
    kind: "checkpoint",
    justInTime: value.justInTime === true,
    step: asCount("step", value.step),
    recordsOffset: asCount("offset", value.offset),
    dir: asText("dir", value.dir),
    files: asList("files", value.files, MAX_RECORD_FILES).map((entry) => {
      const file = asObject("files[]", entry);
      return {
        path: asText("files[].path", file.path),
        sizeBytes: asCount("files[].sizeBytes", file.sizeBytes),
        digest: value.stream === true ? asDigest("files[].digest", file.digest) : "",
      };
    }),
    stream: value.stream === true,
    worldSize: asCount("worldSize", value.worldSize),
    metrics: asMetrics(value.metrics),
  };
}

function recoveryOf(value: Json): RecoveryRecord {
  const { mode } = value;
  if (mode !== "just-in-time" && mode !== "last-checkpoint") fail("mode", "a known one");
  return { kind: "recovery", mode, ...reasonOf(value) };
}

function handoverOf(value: Json): HandoverRecord {
  return {
    kind: "handover",
    saved: value.saved === true,
    step: value.step === -1 ? -1 : asCount("step", value.step),
    seconds: asFinite("seconds", value.seconds),
    ...reasonOf(value),
  };
}

function reasonOf(value: Json): { readonly reason: string; readonly message: string } {
  const text = (name: string) => (value[name] === "" ? "" : asText(name, value[name]));
  return { reason: text("reason").slice(0, MAX_REASON), message: text("message").slice(0, MAX_MESSAGE) };
}

function modelOf(value: Json): ModelRecord {
  const signature = asObject("signature", value.signature ?? {});
  return {
    kind: "model",
    name: asText("name", value.name),
    dir: asText("dir", value.dir),
    framework: asText("framework", value.framework),
    inputs: asTensors("signature.inputs", signature.inputs),
    outputs: asTensors("signature.outputs", signature.outputs),
    metrics: asMetrics(value.metrics),
    step: value.step === undefined ? -1 : asCount("step", value.step),
  };
}

function asTensors(field: string, value: unknown): TensorRecord[] {
  return asList(field, value ?? [], MAX_TENSORS).map((entry) => {
    const tensor = asObject(field, entry);
    const shape = asList(`${field}[].shape`, tensor.shape, MAX_DIMENSIONS);
    return {
      name: asText(`${field}[].name`, tensor.name),
      dtype: asText(`${field}[].dtype`, tensor.dtype),
      shape: shape.map((size) => (size === -1 ? -1 : asCount(`${field}[].shape`, size))),
    };
  });
}

function asMetrics(value: unknown): Record<string, number> {
  const entries = Object.entries(asObject("metrics", value ?? {}));
  if (entries.length > MAX_RECORD_METRICS) fail("metrics", `at most ${MAX_RECORD_METRICS} values`);
  return Object.fromEntries(
    entries.map(([key, number]) => [key, asFinite(`metrics.${key.slice(0, 64)}`, number)]),
  );
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return fail("the record", "JSON");
  }
}

function asObject(field: string, value: unknown): Json {
  // An object that is no array is a record of unknown values.
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Json)
    : fail(field, "an object");
}

function asList(field: string, value: unknown, most: number): readonly unknown[] {
  return Array.isArray(value) && value.length <= most ? value : fail(field, `a list of at most ${most}`);
}

function asText(field: string, value: unknown): string {
  return typeof value === "string" && value !== "" && value.length <= MAX_RECORD_TEXT
    ? value
    : fail(field, `1 to ${MAX_RECORD_TEXT} characters`);
}

function asDigest(field: string, value: unknown): string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value) ? value : fail(field, "64 hex digits");
}

function asFinite(field: string, value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : fail(field, "a finite number");
}

function asStep(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value)
    ? value
    : fail("step", "a whole number from -(2^53 - 1) to 2^53 - 1");
}

function asCount(field: string, value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
    ? value
    : fail(field, "a whole number, not negative");
}

function fail(field: string, expected: string): never {
  throw new RecordError(`${field}: expected ${expected}`);
}
