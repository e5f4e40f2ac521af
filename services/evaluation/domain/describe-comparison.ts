import type { GateOp } from "./suite.ts";

const words: Readonly<Record<GateOp, { readonly passed: string; readonly failed: string }>> = {
  ge: { passed: "is at least", failed: "is below" },
  gt: { passed: "is above", failed: "is not above" },
  le: { passed: "is at most", failed: "is above" },
  lt: { passed: "is below", failed: "is not below" },
};

const FEWEST_DIGITS = 3;
const MOST_DIGITS = 12;

/** The rest of a gate's sentence: "0.912 is below 0.930". */
export function describeComparison(op: GateOp, measured: number, bound: number, passed: boolean): string {
  if (Number.isNaN(measured)) return "is not a number (NaN)";
  const [left, right] = tellApart(measured, bound);
  return `${left} ${passed ? words[op].passed : words[op].failed} ${right}`;
}

/** Both numbers with as many decimals as it takes to see that they differ: never "0.930 is below 0.930". */
function tellApart(a: number, b: number): readonly [string, string] {
  for (let digits = FEWEST_DIGITS; digits <= MOST_DIGITS; digits++) {
    const [left, right] = [a.toFixed(digits), b.toFixed(digits)];
    if (left !== right || a === b) return [left, right];
  }
  return [String(a), String(b)];
}
