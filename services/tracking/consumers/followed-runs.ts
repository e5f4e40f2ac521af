import { randomUUID } from "node:crypto";
import { type Bus, hearChanged, hearFollowed, tellChanged, tellFollowed } from "@trainyard/bus";
import type { Part } from "@trainyard/service";
import type { Deps } from "../deps.ts";

/**
 * Tells agents and other replicas which runs are followed here, and hears which are followed elsewhere; of those, tells and
 * hears that something of them was stored.
 */
export function followedRuns({ signals }: Pick<Deps, "signals">, bus: Bus): Part {
  const teller = randomUUID();
  let hearing: readonly (() => void)[] = [];
  return {
    name: "followed runs",
    async start() {
      signals.tellBy({
        followed: (runId) => tellFollowed(bus, runId),
        changed: (runId) => tellChanged(bus, runId, teller),
      });
      hearing = [
        hearFollowed(bus, "*", (runId) => signals.noteFollowed(runId)),
        hearChanged(bus, teller, (runId) => signals.noteChanged(runId)),
      ];
    },
    async stop() {
      for (const stop of hearing) stop();
    },
  };
}
