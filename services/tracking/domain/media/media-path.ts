/**
 * Where histograms, images and tables of a step lie among a run's artifacts. Their kind, key, step and rank are in the path
 * alone, so that whatever carries artifacts (an upload, an export, a sync) carries them, too. The step has 16 digits, so that
 * the order of paths is the order of steps.
 */
import { invalidField, limitExceeded } from "../errors.ts";
import { MAX_KEY_CHARACTERS, MAX_RANK } from "../limits.ts";

export const mediaKinds = ["histogram", "image", "table"] as const;
export type MediaKind = (typeof mediaKinds)[number];

/** What a path says of what lies there. */
export interface MediaPlace {
  readonly kind: MediaKind;
  readonly key: string;
  readonly step: number;
  readonly rank: number;
}

const STEP_DIGITS = 16;
const PLACE =
  /^media\/(histogram|image|table)s\/(.+)\/(\d{16})(?:-rank-([1-9]\d{0,3}))?\.(json|png|jpg|gif|webp)$/su;

/** The folder that all of a kind lie in, or all of one key. */
export function mediaFolder(kind: MediaKind, key = ""): string {
  return key === "" ? `media/${kind}s` : `media/${kind}s/${key}`;
}

/** The path of what has this extension. */
export function mediaPath({ kind, key, step, rank }: MediaPlace, extension: string): string {
  const of = rank === 0 ? "" : `-rank-${rank}`;
  return `${mediaFolder(kind, key)}/${String(step).padStart(STEP_DIGITS, "0")}${of}.${extension}`;
}

/** What lies at a path; `undefined` when it is another artifact. */
export function parseMediaPath(path: string): MediaPlace | undefined {
  const [, kind, key, digits, rank, extension] = PLACE.exec(path) ?? [];
  if (kind === undefined || key === undefined) return undefined;
  const step = Number(digits);
  const place = { kind: kind as MediaKind, key, step, rank: Number(rank ?? 0) }; // The pattern has no other kinds.
  const fits = (extension === "json") === (kind !== "image");
  return fits && Number.isSafeInteger(step) && place.rank <= MAX_RANK ? place : undefined;
}

/** Throws unless something may be logged there; whether the key makes a path is the path's own rule. */
export function assertMediaPlace({ key, step, rank }: MediaPlace): void {
  const characters = [...key].length;
  if (characters === 0) throw invalidField("key", "expected 1 to 250 characters", "MEDIA_INVALID");
  if (characters > MAX_KEY_CHARACTERS) {
    throw limitExceeded("key", "MAX_KEY_CHARACTERS", MAX_KEY_CHARACTERS, characters, "characters");
  }
  if (!Number.isSafeInteger(step) || step < 0) {
    throw invalidField("step", `expected 0 to ${Number.MAX_SAFE_INTEGER}`, "MEDIA_INVALID");
  }
  if (rank < 0 || rank > MAX_RANK) throw invalidField("rank", `expected 0 to ${MAX_RANK}`, "MEDIA_INVALID");
}
