import { type ProcessName, processNames } from "../flow/fleet.ts";

/** The moments of the flow at which a death hurts, in their order. */
export const phases = ["submit", "admit", "start", "upload", "commit", "end", "evaluate", "promote"] as const;
export type Phase = (typeof phases)[number];

/** One square of the grid: this process dies in this phase. */
export interface Cell {
  readonly process: ProcessName;
  readonly phase: Phase;
  /**
   * Where the process commits something in the phase, it dies by itself between the commit and what follows, which no
   * signal from outside could time. Elsewhere it gets a SIGKILL when the phase has begun.
   */
  readonly crashPoint?: string;
}

/** The edge at which a process dies in a phase in which it commits something. */
const crashPoints: Partial<Record<ProcessName, Partial<Record<Phase, string>>>> = {
  scheduler: {
    submit: "scheduler.submit.committed",
    admit: "scheduler.admit.committed",
    start: "scheduler.project.written",
    commit: "scheduler.outbox.published",
    end: "scheduler.outbox.before-publish#4",
  },
  tracking: {
    submit: "tracking.outbox.before-publish",
    admit: "tracking.attempt.opened",
    start: "tracking-telemetry.event.committed",
    commit: "tracking.checkpoint.committed",
    end: "tracking.outbox.published#3",
  },
  dataset: { submit: "dataset.register.committed" },
  evaluation: {
    submit: "evaluation.outbox.before-publish",
    evaluate: "evaluation.submit.submitted",
    promote: "evaluation.end.committed",
  },
  registry: {
    evaluate: "registry.outbox.before-publish",
    promote: "registry.outbox.published#3",
  },
  agent: {
    start: "agent.start.spawned",
    upload: "agent.upload.uploaded",
    commit: "agent.upload.reported",
    end: "agent.end.flushed",
  },
};

/** The whole grid, process by process. */
export const grid: readonly Cell[] = processNames.flatMap((process) =>
  phases.map((phase) => {
    const crashPoint = crashPoints[process]?.[phase];
    return { process, phase, ...(crashPoint === undefined ? {} : { crashPoint }) };
  }),
);

/** Numbers from 0 to 1 that a seed determines: mulberry32, by Tommy Ettinger (public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The grid in an order that the seed determines: the first cells are what a short run draws. */
export function shuffledGrid(seed: number): readonly Cell[] {
  const random = seededRandom(seed);
  return grid
    .map((cell) => ({ cell, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ cell }) => cell);
}
