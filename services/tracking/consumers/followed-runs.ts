import { type Bus, hearFollowed, tellFollowed } from "@trainyard/bus";
import type { Part } from "@trainyard/service";
import type { Deps } from "../deps.ts";

/** Tells agents and other replicas which runs are followed here, and hears which are followed elsewhere. */
export function followedRuns({ signals }: Pick<Deps, "signals">, bus: Bus): Part {
  let stopHearing = () => {};
  return {
    name: "followed runs",
    async start() {
      signals.tellBy((runId) => tellFollowed(bus, runId));
      stopHearing = hearFollowed(bus, "*", (runId) => signals.noteFollowed(runId));
    },
    async stop() {
      stopHearing();
    },
  };
}
