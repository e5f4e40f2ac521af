import { expect, it } from "vitest";
import type { Attempt, PartOutcome } from "./attempt.ts";
import { desiredParts } from "./desired-parts.ts";
import type { Job } from "./job.ts";

const placements = [
  { nodeId: "n1", ranks: [0], slots: [0] },
  { nodeId: "n2", ranks: [1], slots: [0] },
];

/** What the nodes of a gang are told that is stopped for this cause, with these parts over. */
function told(stopCause: Attempt["stopCause"], ...over: readonly PartOutcome[]) {
  const endedParts = over.map((outcome) => ({ nodeId: "n2", outcome }));
  const state = stopCause === undefined ? "running" : "stopping";
  const attempt = { number: 1, state, placements, stopCause, endedParts } as unknown as Attempt;
  // As of a job whose only attempt is live.
  const job = { id: "job_1", state: "running", attempts: [attempt] } as unknown as Job;
  const parts = desiredParts([job], [{ id: "n1", unreaped: [] }]);
  return [...parts.values()].flat().map((part) => (part.kind === "part" ? [part.action, part.handOver] : []));
}

it.each<[string, ReturnType<typeof told>, [string, boolean]]>([
  ["a rank has failed and every node is there", told("failure"), ["stop", true]],
  ["of which one is done", told("failure", { kind: "finalized", ranks: [] }), ["stop", true]],
  ["of which one is lost", told("failure", { kind: "lost" }), ["stop", false]],
  ["of which one has nothing left", told("failure", { kind: "gone" }), ["stop", false]],
  ["it was cancelled", told("cancel"), ["stop", false]],
  ["it runs", told(undefined), ["run", false]],
])("survivors may hand over where a gang is stopped since %s", (_when, found, expected) => {
  expect(found).toEqual([expected, expected]);
});
