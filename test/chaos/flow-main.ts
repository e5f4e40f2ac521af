/**
 * npm run chaos -- flow [--seed N] [--cells N] [--process NAME] [--phase NAME] [--deaths N] [--down MS] [--json]
 *
 * Runs the main flow once per cell of the grid process × phase, kills that process in that phase, and checks that
 * nothing was lost and nothing happened twice. With --deaths N so many processes die in each flow: a quick way over the
 * whole grid, which does not tell the guilty cell. What died stays down for --down milliseconds.
 */
import { cellName, dealt, shuffledGrid } from "./cells.ts";
import { gridText } from "./grid-text.ts";
import { type CellsResult, runCells } from "./run-cells.ts";

export interface FlowChaosOptions {
  readonly seed: number;
  readonly deaths: number;
  readonly downMs: number;
  /** Only so many cells; all when undefined. */
  readonly cells: number | undefined;
  readonly process: string | undefined;
  readonly phase: string | undefined;
  readonly json: boolean;
}

/** Runs the cells and prints what came of them; says whether every promise holds. */
export async function flowChaos(options: FlowChaosOptions): Promise<boolean> {
  const wanted = shuffledGrid(options.seed).filter(
    (cell) =>
      (options.process ?? cell.process) === cell.process && (options.phase ?? cell.phase) === cell.phase,
  );
  const cells = wanted.slice(0, options.cells ?? wanted.length);
  const flows = dealt(cells, options.deaths);
  const say = options.json ? console.error : console.log;
  say(`seed ${options.seed}: ${cells.length} cells in ${flows.length} flows`);
  const results: CellsResult[] = [];
  for (const flow of flows) {
    const result = await runCells(flow, { downMs: options.downMs });
    results.push(result);
    const verdict = result.broken.length === 0 ? "holds" : `BROKEN: ${result.broken.join("; ")}`;
    say(`${flow.map(cellName).join(", ")}: ${verdict} (${result.seconds.toFixed(0)} s)`);
    if (result.output !== undefined) say(result.output);
  }
  if (options.json)
    console.log(
      JSON.stringify({ seed: options.seed, results: results.map(({ output: _, ...rest }) => rest) }),
    );
  else console.log(gridText(results));
  return results.every(({ broken }) => broken.length === 0);
}
