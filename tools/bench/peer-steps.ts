import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A step of a training that `peers/ddp_recovery.py` does under torchrun. */
export interface PeerStep {
  /** The step that its attempt began after. */
  readonly begun: number;
  readonly step: number;
  readonly atMs: number;
}

/** The steps that it has written down in the folder. */
export function stepsIn(dir: string): readonly PeerStep[] {
  try {
    const lines = readFileSync(join(dir, "steps"), "utf8").trim().split("\n");
    return lines.map((line) => {
      const [begun, step, at] = line.split(" ").map(Number);
      return { begun: begun ?? 0, step: step ?? 0, atMs: (at ?? 0) * 1_000 };
    });
  } catch {
    return [];
  }
}

/** The first step of a later attempt. */
export function nextAttempt(dir: string, begunBefore: number): PeerStep | undefined {
  return stepsIn(dir).find(({ begun }) => begun !== begunBefore);
}

/** The last step that was done of the attempt that began after that step. */
export function lastStepOf(dir: string, begunAfter: number): number {
  const done = stepsIn(dir).filter(({ begun }) => begun === begunAfter);
  return Math.max(...done.map(({ step }) => step));
}
