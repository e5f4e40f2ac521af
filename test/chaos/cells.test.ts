import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as contracts from "@trainyard/contracts";
import { checkoutRoot } from "@trainyard/local";
import { describe, expect, it } from "vitest";
import { processNames } from "../flow/fleet.ts";
import { dealt, grid, phases, shuffledGrid } from "./cells.ts";

const sources = globSync("{libs,services}/**/*.ts", {
  cwd: checkoutRoot,
  exclude: (path) => path.includes("node_modules") || path.endsWith(".test.ts"),
}).map((path) => readFileSync(join(checkoutRoot, path), "utf8"));
const inSources = (text: string) => sources.some((source) => source.includes(text));

const methods = new Set(
  [
    contracts.scheduler.SchedulerService,
    contracts.tracking.TrackingService,
    contracts.dataset.DatasetService,
    contracts.evaluation.EvaluationService,
    contracts.registry.RegistryService,
  ].flatMap(({ typeName, methods: own }) => own.map(({ name }) => `${typeName.split(".")[1]}.${name}`)),
);
const events = new Set(
  contracts.eventTypes.map(({ service, entity, event }) => `${service}.${entity}.${event}`),
);

/** Whether some code passes the point: by its name, or by one of the names that libraries make. */
function isPassed(point: string): boolean {
  if (inSources(`"${point}"`)) return true;
  const [name = "", edge = ""] = [point.slice(0, point.lastIndexOf(".")), point.split(".").at(-1)];
  if (edge === "before-publish" || edge === "published") return events.has(name);
  if (name.endsWith(".event")) return inSources(`name: "${name.slice(0, -".event".length)}"`);
  if (methods.has(name)) return true;
  // An attempt's steps in the scheduler, by their kind.
  const step = `kind: "${name.replace("scheduler.", "")}"`;
  return sources.some((source) => source.includes("export type Transition =") && source.includes(step));
}

describe("the chaos grid", () => {
  it("has every process in every phase", () => {
    for (const process of processNames)
      for (const phase of phases)
        expect(grid.filter((cell) => cell.process === process && cell.phase === phase)).not.toEqual([]);
  });

  it.each(grid.flatMap(({ crashPoint }) => (crashPoint === undefined ? [] : [crashPoint])))(
    "lets processes die where the code passes: %s",
    (crashPoint) => {
      expect(isPassed(crashPoint.split("#")[0] ?? "")).toBe(true);
    },
  );

  it("gives the same order for the same seed, and another for another", () => {
    expect(shuffledGrid(7)).toEqual(shuffledGrid(7));
    expect(shuffledGrid(7)).not.toEqual(shuffledGrid(8));
    expect(new Set(shuffledGrid(7))).toEqual(new Set(grid));
  });

  it("deals every cell out once, no process twice to a flow", () => {
    const flows = dealt(shuffledGrid(7), 5);
    expect(new Set(flows.flat())).toEqual(new Set(grid));
    expect(flows.flat()).toHaveLength(grid.length);
    for (const flow of flows) {
      expect(flow.length).toBeLessThanOrEqual(5);
      expect(new Set(flow.map(({ process }) => process)).size).toBe(flow.length);
    }
  });
});
