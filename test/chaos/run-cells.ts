import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Fleet, type ProcessName, startFleet } from "../flow/fleet.ts";
import { digitsFlow } from "../flow/flow.ts";
import { type Broken, brokenPromises } from "../flow/invariants.ts";
import { type Cell, cellName } from "./cells.ts";
import { phaseReached } from "./phase-reached.ts";

/** What a flow with one death, or with several, came to. */
export interface CellsResult {
  readonly cells: readonly Cell[];
  /** What did not hold; empty when everything did. */
  readonly broken: readonly Broken[];
  readonly seconds: number;
  /** What the processes printed; only when something is broken. */
  readonly output?: string;
}

/**
 * Runs the whole flow on a fresh platform while processes die, each in its phase, and checks every promise at the end:
 * also that each of them did die. Each process may die once.
 */
export async function runCells(
  cells: readonly Cell[],
  { downMs }: { readonly downMs?: number } = {},
): Promise<CellsResult> {
  const started = performance.now();
  const dir = mkdtempSync(join(tmpdir(), "trainyard-chaos-"));
  const marks = join(dir, "crashed");
  const broken: Broken[] = [];
  let fleet: Fleet | undefined;
  let output: string | undefined;
  try {
    fleet = await startFleet({
      dir,
      env: crashEnv(cells, marks),
      ...(downMs === undefined ? {} : { downMs }),
    });
    broken.push(...(await flowWithDeaths(fleet, dir, cells)));
  } catch (error) {
    broken.push(`the flow did not end: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    for (const cell of cells) if (!hasDied(cell, fleet, marks)) broken.push(`not so: ${cellName(cell)}`);
    if (fleet !== undefined && broken.length > 0) output = outputs(fleet);
    await fleet?.stop();
    rmSync(dir, { recursive: true, force: true });
  }
  const seconds = (performance.now() - started) / 1000;
  return { cells, broken, seconds, ...(output === undefined ? {} : { output }) };
}

function crashEnv(
  cells: readonly Cell[],
  marks: string,
): Partial<Record<ProcessName, Record<string, string>>> {
  const env: Partial<Record<ProcessName, Record<string, string>>> = Object.fromEntries(
    cells.flatMap(({ process, crashPoint }) =>
      crashPoint === undefined
        ? []
        : [[process, { TRAINYARD_CRASH_AT: crashPoint, TRAINYARD_CRASH_ONCE_DIR: marks }]],
    ),
  );
  // Forked ranks start in a tenth of the time.
  return { ...env, agent: { TRAINYARD_LAUNCHER: "warm", ...env.agent } };
}

function hasDied({ process, crashPoint }: Cell, fleet: Fleet | undefined, marks: string): boolean {
  if (crashPoint !== undefined) return existsSync(join(marks, crashPoint.split("#")[0] ?? ""));
  return (fleet?.deaths(process) ?? 0) > 0;
}

async function flowWithDeaths(fleet: Fleet, dir: string, cells: readonly Cell[]): Promise<readonly Broken[]> {
  const flow = digitsFlow(fleet, dir);
  const killed = cells.filter(({ crashPoint }) => crashPoint === undefined);
  const deaths = (those: readonly Cell[]) =>
    Promise.all(
      those.map(async ({ process, phase }) => {
        await phaseReached(phase, fleet, flow);
        await fleet.kill(process);
      }),
    );
  await flow.prepare();
  const dying = deaths(killed.filter(({ phase }) => phase !== "promote"));
  // A rejection is looked at below; until then it must not end the process.
  dying.catch(() => undefined);
  await flow.submit();
  await flow.trained();
  await flow.evaluated();
  await Promise.all([deaths(killed.filter(({ phase }) => phase === "promote")), flow.approve()]);
  await dying;
  return brokenPromises(fleet, flow);
}

function outputs(fleet: Fleet): string {
  const names = ["scheduler", "tracking", "dataset", "evaluation", "registry", "gateway", "agent"] as const;
  return names.map((name) => `=== ${name}\n${fleet.output(name).slice(-12_000)}`).join("\n");
}
