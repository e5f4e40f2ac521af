/**
 * npm run chaos -- flow [--seed N] [--cells N] [--process NAME] [--phase NAME] [--deaths N] [--down MS] [--json]
 *
 * Runs the main flow once per cell of the grid process × phase, kills that process in that phase, and checks that
 * nothing was lost and nothing happened twice. With --deaths N so many processes die in each flow: a quick way over the
 * whole grid, which does not tell the guilty cell. What died stays down for --down milliseconds. Exits 1 when a promise was broken.
 */
import { parseArgs } from "node:util";
import { cellName, dealt, shuffledGrid } from "./cells.ts";
import { gridText } from "./grid-text.ts";
import { type CellsResult, runCells } from "./run-cells.ts";

const usage =
  "usage: npm run chaos -- flow [--seed N] [--cells N] [--process NAME] [--phase NAME] [--deaths N] [--down MS] [--json]";

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seed: { type: "string", default: String(Math.trunc(Math.random() * 1e9)) },
        cells: { type: "string" },
        process: { type: "string" },
        phase: { type: "string" },
        deaths: { type: "string", default: "1" },
        down: { type: "string", default: "300" },
        json: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return process.exit(2);
  }
}

const { values, positionals } = options();
const numbers = [values.seed, values.deaths, values.down, values.cells ?? "1"];
if (positionals.length !== 1 || positionals[0] !== "flow" || !numbers.every((text) => /^\d+$/.test(text))) {
  console.error(usage);
  process.exit(2);
}

const wanted = shuffledGrid(Number(values.seed)).filter(
  (cell) => (values.process ?? cell.process) === cell.process && (values.phase ?? cell.phase) === cell.phase,
);
const cells = wanted.slice(0, values.cells === undefined ? wanted.length : Number(values.cells));
const flows = dealt(cells, Number(values.deaths));
const say = values.json ? console.error : console.log;
say(`seed ${values.seed}: ${cells.length} cells in ${flows.length} flows`);

const results: CellsResult[] = [];
for (const flow of flows) {
  const result = await runCells(flow, { downMs: Number(values.down) });
  results.push(result);
  const verdict = result.broken.length === 0 ? "holds" : `BROKEN: ${result.broken.join("; ")}`;
  say(`${flow.map(cellName).join(", ")}: ${verdict} (${result.seconds.toFixed(0)} s)`);
  if (result.output !== undefined) say(result.output);
}
if (values.json)
  console.log(
    JSON.stringify({ seed: Number(values.seed), results: results.map(({ output: _, ...rest }) => rest) }),
  );
else console.log(gridText(results));
process.exit(results.some(({ broken }) => broken.length > 0) ? 1 : 0);
