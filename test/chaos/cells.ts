import { type ProcessName, processNames } from "../flow/fleet.ts";
import { seededRandom } from "./seeded-random.ts";

/** The moments of the flow at which a death hurts, in their order. */
export const phases = ["submit", "admit", "start", "upload", "commit", "end", "evaluate", "promote"] as const;
export type Phase = (typeof phases)[number];

/** One square of the grid, or one of several in a square with several edges: this process dies in this phase. */
export interface Cell {
  readonly process: ProcessName;
  readonly phase: Phase;
  /**
   * Where the process commits something in the phase, it dies by itself between the commit and what follows, which no
   * signal from outside could time. Elsewhere it gets a SIGKILL when the phase has begun.
   */
  readonly crashPoint?: string;
}

/**
 * The edges at which a process dies in a phase in which it commits something. The second pass of a point (`#2`) is the
 * evaluation's job, or the attempt's start after the job's submission.
 */
const crashPoints: Partial<Record<ProcessName, Partial<Record<Phase, readonly string[]>>>> = {
  scheduler: {
    submit: ["scheduler.submit.committed", "scheduler.job.submitted.before-publish"],
    admit: ["scheduler.admit.committed", "scheduler.attempt.admitted.published"],
    start: ["scheduler.place.committed", "scheduler.started.committed"],
    end: ["scheduler.end.committed", "scheduler.job.ended.before-publish"],
    evaluate: ["scheduler.submit.committed#2"],
  },
  tracking: {
    submit: ["tracking-jobs.event.committed", "tracking.run.created.before-publish"],
    admit: ["tracking.attempt.opened"],
    start: ["tracking-jobs.event.committed#2"],
    upload: ["tracking.metrics.stored"],
    commit: ["tracking.checkpoint.committed", "tracking.checkpoint.committed.before-publish"],
    end: ["tracking.run.ended.before-publish", "tracking.run.ended.published"],
    evaluate: ["tracking.attempt.opened#2"],
  },
  dataset: { submit: ["dataset.register.committed", "dataset.dataset_version.registered.before-publish"] },
  evaluation: {
    submit: ["evaluation.ApplySuite.committed"],
    end: ["evaluation-models.event.committed"],
    evaluate: [
      "evaluation.submit.submitted",
      "evaluation-runs.event.committed",
      "evaluation.end.committed",
      "evaluation.evaluation.ended.before-publish",
    ],
  },
  registry: {
    end: ["registry.version.before-commit", "registry.model_version.created.before-publish"],
    evaluate: ["registry-gates.event.committed", "registry.model_version.gate_recorded.before-publish"],
    promote: [
      "registry.ApproveModelVersion.committed",
      "registry.model_version.stage_changed.before-publish",
    ],
  },
  gateway: { end: ["gateway-rank-tokens.event.committed"] },
  agent: {
    start: ["agent.start.spawned"],
    upload: ["agent.upload.half", "agent.upload.uploaded"],
    commit: ["agent.upload.reported"],
    end: ["agent.end.flushed"],
  },
};

/** The whole grid, process by process. */
export const grid: readonly Cell[] = processNames.flatMap((process) =>
  phases.flatMap((phase): readonly Cell[] => {
    const points = crashPoints[process]?.[phase];
    return points?.map((crashPoint) => ({ process, phase, crashPoint })) ?? [{ process, phase }];
  }),
);

/** A cell in words: "registry dies in promote at registry.ApproveModelVersion.committed". */
export function cellName({ process, phase, crashPoint }: Cell): string {
  return `${process} dies in ${phase}${crashPoint === undefined ? "" : ` at ${crashPoint}`}`;
}

/** The grid in an order that the seed determines: the first cells are what a short run draws. */
export function shuffledGrid(seed: number): readonly Cell[] {
  const random = seededRandom(seed);
  return grid
    .map((cell) => ({ cell, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ cell }) => cell);
}

/** Deals cells out to flows of so many deaths, each process dying once in a flow at most. */
export function dealt(cells: readonly Cell[], deathsPerFlow: number): readonly (readonly Cell[])[] {
  const flows: Cell[][] = [];
  for (const cell of cells) {
    const free = flows.find(
      (flow) => flow.length < deathsPerFlow && flow.every(({ process }) => process !== cell.process),
    );
    if (free === undefined) flows.push([cell]);
    else free.push(cell);
  }
  return flows;
}
