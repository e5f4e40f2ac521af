import { type Measurement, median, quantile } from "./result.ts";

/** What a kill cost a training. */
export interface KillCost {
  readonly nextStepMs: number;
  readonly stepsLost: number;
}

/** The figures of trainings of which something was killed, beside those of another tool where it went on at all. */
export function killMeasurements(
  trials: readonly KillCost[],
  {
    peer,
    within,
    lost,
  }: {
    readonly peer: { readonly name: string; readonly version: string; readonly trials: readonly KillCost[] };
    /** In milliseconds, for each trial. */
    readonly within: number;
    /** How the steps are counted that were lost, and how many may be. */
    readonly lost: { readonly metric: string; readonly most?: number };
  },
): readonly Measurement[] {
  const { name, version } = peer;
  const beside = (cost: keyof KillCost) =>
    peer.trials.length === 0
      ? {}
      : { peer: { name, version, value: median(peer.trials.map((trial) => trial[cost])) } };
  const times = trials.map(({ nextStepMs }) => nextStepMs);
  const steps = trials.map(({ stepsLost }) => stepsLost);
  return [
    {
      metric: "kill_to_next_step_p50",
      unit: "ms",
      value: median(times),
      samples: times,
      ...beside("nextStepMs"),
      aim: { op: "<", value: within },
    },
    {
      metric: "kill_to_next_step_max",
      unit: "ms",
      value: quantile(times, 1),
      aim: { op: "<", value: within },
    },
    {
      metric: lost.metric,
      unit: "steps",
      value: Math.max(...steps),
      samples: steps,
      ...beside("stepsLost"),
      ...(lost.most === undefined ? {} : { aim: { op: "<=", value: lost.most } }),
    },
  ];
}
