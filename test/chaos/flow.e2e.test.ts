import { describe, expect, it } from "vitest";
import { cellName, shuffledGrid } from "./cells.ts";
import { runCells } from "./run-cells.ts";

/** Printed, so that a failure can be run again: TRAINYARD_CHAOS_SEED=… npm test -- e2e */
const seed = Number(process.env.TRAINYARD_CHAOS_SEED ?? Math.trunc(Math.random() * 1e9));

describe(`chaos (seed ${seed})`, () => {
  // One of the grid each time; `npm run chaos` goes through all of them.
  const [cell] = shuffledGrid(seed);
  if (cell === undefined) throw new Error("the grid is empty");
  it(`keeps every promise when ${cellName(cell)}`, async () => {
    const { broken, output } = await runCells([cell]);
    expect(broken, output).toEqual([]);
  });
});
