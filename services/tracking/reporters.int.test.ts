import { newId } from "@trainyard/domain";
import { fromConnectError } from "@trainyard/service";
import { beforeAll, expect, it } from "vitest";
import { project, startTracking, type TestTracking, type TrackingClient } from "./test-service.ts";

let service: TestTracking;
/** Node n1's. */
let agent: TrackingClient;
let leader: TrackingClient;
const runId = newId("run");
const jobId = newId("job");

beforeAll(async () => {
  service = await startTracking();
  [agent, leader] = await Promise.all([service.as("agent"), service.as("scheduler")]);
});

const open = (attempt: number, nodeId: string) =>
  leader.openAttempt({ runId, jobId, project, attempt, nodes: [{ nodeId, ranks: [0] }] });

/** What becomes of everything that an agent can tell of an attempt, by its name. */
async function outcomes(attempt: number): Promise<Readonly<Record<string, string>>> {
  const { digest, sizeBytes } = await service.blobs.put(new TextEncoder().encode("weights"));
  const file = { path: "model/w", digest, sizeBytes: BigInt(sizeBytes) };
  const of = () => ({ requestId: newId("req"), runId, attempt });
  const calls = {
    artifact: agent.logArtifact({ ...of(), file }),
    model: agent.logModel({
      ...of(),
      model: { name: "model", files: [file], framework: "torch", step: -1n },
    }),
    facts: agent.logRunFacts({ ...of(), rank: 0, params: { [`lr${attempt}`]: "1" } }),
    recovery: agent.reportRecovery(of()),
    checkpoint: agent.reportCheckpointPart({
      ...of(),
      step: 1n,
      worldSize: 1,
      kind: 1,
      part: { rank: 0, files: [file], recordsOffset: 1n },
    }),
  };
  const told = Object.entries(calls).map(async ([name, call]) => {
    const reason = await (call as Promise<unknown>).then(
      () => "taken",
      (error: unknown) => fromConnectError(error).reason,
    );
    return [name, reason];
  });
  return Object.fromEntries(await Promise.all(told)) as Record<string, string>;
}

const names = ["artifact", "model", "facts", "recovery", "checkpoint"];
const all = (outcome: string) => Object.fromEntries(names.map((name) => [name, outcome]));

it("takes what is told of an attempt from the agents of its own nodes only", async () => {
  await open(1, "n2");
  expect(await outcomes(1)).toEqual(all("NODE_NOT_OF_ATTEMPT"));
  await open(2, "n1");
  expect(await outcomes(2)).toEqual(all("taken"));
  await open(3, "n2");
  expect(await outcomes(3)).toEqual(all("NODE_NOT_OF_ATTEMPT"));
});
