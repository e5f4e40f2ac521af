import { describe, expect, it } from "vitest";
import type { DesiredPart } from "./desired-parts.ts";
import { heldBack } from "./held-back.ts";

type State = "placed" | "running";

/** A gang on these nodes, each of its orders as large as `bytes` says. */
function gang(jobId: string, nodes: readonly string[], bytes: number, state: State = "placed") {
  return { jobId, nodes, bytes, state };
}

/** Which jobs are held back when a node's orders may be 100 bytes long. */
function heldOf(gangs: readonly ReturnType<typeof gang>[], told: readonly string[] = []) {
  const desired = new Map<string, DesiredPart[]>();
  const sizes = new Map<string, number>();
  for (const { jobId, nodes, bytes, state } of gangs) {
    sizes.set(jobId, bytes);
    for (const nodeId of nodes) {
      // Of a job and an attempt, only what the function looks at.
      const part = {
        kind: "part",
        action: "run",
        job: { id: jobId },
        attempt: { number: 1, state },
        placement: { nodeId },
      } as unknown as DesiredPart;
      desired.set(nodeId, [...(desired.get(nodeId) ?? []), part]);
    }
  }
  const idOf = (part: DesiredPart) => (part.kind === "reap" ? part.unreaped.jobId : part.job.id);
  return heldBack(desired, {
    maxBytes: 100,
    sizeOf: (part) => sizes.get(idOf(part)) ?? 0,
    isTold: (_nodeId, part) => told.includes(idOf(part)),
  });
}

describe("orders of a node", () => {
  it("hold nobody back as long as they fit, to the last byte", () => {
    expect(heldOf([gang("a", ["n1"], 60), gang("b", ["n1"], 40)])).toEqual([]);
  });

  it("hold back the gang that does not fit, with the numbers, and let a smaller one behind it pass", () => {
    expect(heldOf([gang("a", ["n1"], 60), gang("b", ["n1"], 41), gang("c", ["n1"], 40)])).toEqual([
      { jobId: "b", attempt: 1, nodeId: "n1", bytesNeeded: 41, bytesFree: 40 },
    ]);
  });

  it("are told to all nodes of a gang or to none", () => {
    const held = heldOf([gang("a", ["n1"], 60), gang("b", ["n1", "n2"], 50), gang("c", ["n2"], 90)]);
    expect(held.map(({ jobId, nodeId }) => [jobId, nodeId])).toEqual([["b", "n1"]]);
  });

  it("never hold back what a node was told or what runs, even when it is too much", () => {
    const gangs = [gang("a", ["n1"], 10), gang("b", ["n1"], 95), gang("c", ["n1"], 95, "running")];
    expect(heldOf(gangs, ["b"]).map(({ jobId }) => jobId)).toEqual(["a"]);
  });
});
