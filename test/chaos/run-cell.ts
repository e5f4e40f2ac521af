import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Fleet, startFleet } from "../flow/fleet.ts";
import { digitsFlow } from "../flow/flow.ts";
import { type Broken, brokenPromises } from "../flow/invariants.ts";
import type { Cell } from "./cells.ts";
import { phaseReached } from "./phase-reached.ts";

/** What one cell of the grid came to. */
export interface CellResult {
  readonly cell: Cell;
  /** What did not hold; empty when everything did. */
  readonly broken: readonly Broken[];
  /** Whether the process really died. */
  readonly died: boolean;
  readonly seconds: number;
  /** What the processes printed; only when something is broken. */
  readonly output?: string;
}

/** Runs the whole flow on a fresh platform while one process dies in one phase, and checks every promise at the end. */
export async function runCell(cell: Cell): Promise<CellResult> {
  const started = performance.now();
  const dir = mkdtempSync(join(tmpdir(), "trainyard-chaos-"));
  const crash = cell.crashPoint;
  const env =
    crash === undefined
      ? {}
      : { [cell.process]: { TRAINYARD_CRASH_AT: crash, TRAINYARD_CRASH_ONCE_DIR: join(dir, "crashed") } };
  let fleet: Fleet | undefined;
  try {
    fleet = await startFleet({ dir, env });
    const broken = await flowWithDeath(fleet, dir, cell).catch((error: unknown) => [
      `the flow did not end: ${messageOf(error)}`,
    ]);
    const died = cell.process === "nats" || cell.process === "mongod" || fleet.starts(cell.process) > 1;
    const all = died ? broken : [...broken, `${cell.process} never died`];
    const seconds = (performance.now() - started) / 1000;
    return { cell, broken: all, died, seconds, ...(all.length === 0 ? {} : { output: outputs(fleet) }) };
  } catch (error) {
    const seconds = (performance.now() - started) / 1000;
    return { cell, broken: [`the cell could not be run: ${messageOf(error)}`], died: false, seconds };
  } finally {
    await fleet?.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function flowWithDeath(fleet: Fleet, dir: string, cell: Cell): Promise<readonly Broken[]> {
  const flow = digitsFlow(fleet, dir);
  const death = async () => {
    if (cell.crashPoint !== undefined) return;
    await phaseReached(cell.phase, fleet, flow);
    await fleet.kill(cell.process);
  };
  await flow.prepare();
  const dying = cell.phase === "promote" ? undefined : death();
  // A rejection is looked at below; until then it must not end the process.
  dying?.catch(() => undefined);
  await flow.submit();
  await flow.trained();
  await flow.evaluated();
  await Promise.all([cell.phase === "promote" ? death() : undefined, flow.approve()]);
  await dying;
  return brokenPromises(fleet, flow);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function outputs(fleet: Fleet): string {
  const names = ["scheduler", "tracking", "dataset", "evaluation", "registry", "gateway", "agent"] as const;
  return names.map((name) => `=== ${name}\n${fleet.output(name).slice(-6_000)}`).join("\n");
}
