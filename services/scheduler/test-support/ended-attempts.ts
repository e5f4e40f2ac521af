/** Attempts as they ended, jobs with only what the rules about failures read. */
import type { Attempt, PartOutcome, RankReport } from "../domain/attempt.ts";
import type { Failure } from "../domain/failure.ts";
import type { Job } from "../domain/job.ts";
import type { JobSpec } from "../domain/job-spec.ts";

const t0 = new Date("2026-01-01T00:00:00Z");
export const at = (seconds: number) => new Date(t0.getTime() + seconds * 1000);

/** Only what the functions under test read. */
export const specWith = (more: Partial<JobSpec>) =>
  ({ ranks: 2, retries: 0, timeoutSeconds: 0, ...more }) as JobSpec;
export const jobWith = (spec: Partial<JobSpec>, more: Partial<Job> = {}) =>
  ({ spec: specWith(spec), attempts: [], retriesUsed: { user: 0, infra: 0 }, ...more }) as unknown as Job;

const placements = [
  { nodeId: "n1", ranks: [0], slots: [0] },
  { nodeId: "n2", ranks: [1], slots: [0] },
];
export const attemptOf = (parts: readonly PartOutcome[], more: Partial<Attempt> = {}): Attempt => ({
  number: 1,
  state: "stopping",
  placements,
  admittedAt: t0,
  endedParts: parts.map((outcome, index) => ({ nodeId: `n${index + 1}`, outcome })),
  ...more,
});
export const exited = (
  rank: number,
  exit: Partial<NonNullable<RankReport["exit"]>> = {},
  lastStep = 7,
): RankReport => ({
  rank,
  lastStep,
  startedAt: at(1),
  exit: { code: 0, signal: 0, at: at(5), order: 1, tracebackTail: "", ...exit },
});
export const ranks = (...reports: RankReport[]): PartOutcome[] =>
  reports.map((report) => ({ kind: "finalized", ranks: [report] }));
export const raising = (line: string) =>
  `Traceback (most recent call last):\n  File "train.py", line 9, in <module>\n${line}\n`;
export const ended = (number: number, failure: Failure): Attempt =>
  attemptOf([], { number, state: "ended", failure });
