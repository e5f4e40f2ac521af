/** Where the steps of a rank spent their time, in seconds of one step; what the SDK tells about once a second. */
export interface StepTiming {
  readonly seconds: number;
  readonly dataSeconds: number;
  readonly computeSeconds: number;
  readonly communicationSeconds: number;
  readonly checkpointSeconds: number;
}

/** A figure with a name. */
interface Point {
  readonly key: string;
  readonly value: number;
}

/** What the platform measures has names that begin so; a script's own metrics do not. */
const SYSTEM_PREFIX = "trainyard/";
const PREFIX = "trainyard/step/";
const LEAST_FRESH_MS = 10_000;
const FRESH_STEPS = 10;

/** Whether a record holds nothing that the script itself has said, and so no word about which step it is at. */
export function isSystemOnly(points: readonly Point[]): boolean {
  return points.length > 0 && points.every(({ key }) => key.startsWith(SYSTEM_PREFIX));
}

/** The timing in a record of metrics; undefined where there is none, or one that a sound SDK does not write. */
export function timingIn(points: readonly Point[]): StepTiming | undefined {
  const of = (name: string) => points.find(({ key }) => key === `${PREFIX}${name}`)?.value;
  const seconds = of("seconds");
  const parts = ["data", "compute", "communication", "checkpoint"].map((part) => of(`${part}_seconds`));
  const [data, compute, communication, checkpoint] = parts.filter(
    (part) => part !== undefined && part >= 0 && Number.isFinite(part),
  );
  if (seconds === undefined || !(seconds > 0) || !Number.isFinite(seconds)) return undefined;
  if (data === undefined || compute === undefined || communication === undefined || checkpoint === undefined)
    return undefined;
  return {
    seconds,
    dataSeconds: data,
    computeSeconds: compute,
    communicationSeconds: communication,
    checkpointSeconds: checkpoint,
  };
}

/** For how long a timing says what the rank does now: then it has hung, ended its training, or stopped telling. */
export function freshForMs({ seconds }: StepTiming): number {
  return Math.max(LEAST_FRESH_MS, FRESH_STEPS * seconds * 1000);
}
