import { type Cell, phases } from "./cells.ts";
import type { CellsResult } from "./run-cells.ts";

/**
 * The grid as a table: one row a process, one column a phase. Where a square has several edges all of those that ran must
 * hold; a death among several of one flow counts as broken when anything in that flow is.
 */
export function gridText(results: readonly CellsResult[]): string {
  const done = results.flatMap(({ cells, broken }) =>
    cells.map((cell) => ({ cell, holds: broken.length === 0 })),
  );
  const rows = [...new Set(done.map(({ cell }) => cell.process))].sort();
  const mark = (of: (cell: Cell) => boolean) => {
    const square = done.filter(({ cell }) => of(cell));
    const holding = square.filter(({ holds }) => holds).length;
    if (square.length === 0) return "·";
    return holding === square.length ? `ok${holding > 1 ? ` x${holding}` : ""}` : "BROKEN";
  };
  const lines = rows.map(
    (name) =>
      name.padEnd(12) +
      phases.map((phase) => mark((cell) => cell.process === name && cell.phase === phase).padEnd(9)).join(""),
  );
  return ["", "".padEnd(12) + phases.map((phase) => phase.padEnd(9)).join(""), ...lines, ""].join("\n");
}
