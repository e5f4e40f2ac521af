/**
 * npm run chaos -- flow [--seed N] [--cells N] [--process NAME] [--phase NAME] [--json]
 *
 * Runs the main flow once per cell of the grid process × phase, kills that process in that phase, and checks that
 * nothing was lost and nothing happened twice. Exits 1 when a cell broke a promise.
 */
import { parseArgs } from "node:util";
import { type Cell, phases, shuffledGrid } from "./cells.ts";
import { type CellResult, runCell } from "./run-cell.ts";

const usage = "usage: npm run chaos -- flow [--seed N] [--cells N] [--process NAME] [--phase NAME] [--json]";

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seed: { type: "string", default: String(Math.trunc(Math.random() * 1e9)) },
        cells: { type: "string" },
        process: { type: "string" },
        phase: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return process.exit(2);
  }
}

const { values, positionals } = options();
if (positionals.length !== 1 || positionals[0] !== "flow" || !/^\d+$/.test(values.seed)) {
  console.error(usage);
  process.exit(2);
}

const wanted = shuffledGrid(Number(values.seed)).filter(
  (cell) => (values.process ?? cell.process) === cell.process && (values.phase ?? cell.phase) === cell.phase,
);
const cells = wanted.slice(0, values.cells === undefined ? wanted.length : Number(values.cells));
const say = values.json ? console.error : console.log;
say(`seed ${values.seed}: ${cells.length} cells`);

const results: CellResult[] = [];
for (const cell of cells) {
  const result = await runCell(cell);
  results.push(result);
  const verdict = result.broken.length === 0 ? "holds" : `BROKEN: ${result.broken.join("; ")}`;
  say(
    `${cell.process} dies in ${cell.phase}${cell.crashPoint ? ` at ${cell.crashPoint}` : ""}: ${verdict} (${result.seconds.toFixed(0)} s)`,
  );
  if (result.output !== undefined) say(result.output);
}
if (values.json)
  console.log(
    JSON.stringify({ seed: Number(values.seed), results: results.map(({ output: _, ...rest }) => rest) }),
  );
else console.log(gridText(results));
process.exit(results.some(({ broken }) => broken.length > 0) ? 1 : 0);

/** The grid as a table: one row a process, one column a phase. */
function gridText(done: readonly CellResult[]): string {
  const rows = [...new Set(done.map(({ cell }) => cell.process))].sort();
  const mark = (of: (cell: Cell) => boolean) => {
    const result = done.find(({ cell }) => of(cell));
    return (result === undefined ? "·" : result.broken.length === 0 ? "ok" : "BROKEN").padEnd(9);
  };
  const lines = rows.map(
    (name) =>
      name.padEnd(12) +
      phases.map((phase) => mark((cell) => cell.process === name && cell.phase === phase)).join(""),
  );
  return ["", "".padEnd(12) + phases.map((phase) => phase.padEnd(9)).join(""), ...lines, ""].join("\n");
}
