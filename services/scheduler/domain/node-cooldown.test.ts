import { describe, expect, it } from "vitest";
import { type Failure, failureWithoutRank } from "./failure.ts";
import {
  afterNodeFailure,
  isCoolingDown,
  isForgotten,
  isNodesFailure,
  MAX_COOLDOWN_MS,
  type NodeCooldown,
} from "./node-cooldown.ts";

const t0 = Date.UTC(2026, 0, 1);
const at = (seconds: number) => new Date(t0 + seconds * 1000);
const lost = failureWithoutRank("infra", "NODE_LOST", "", "n1");

describe("a node that fails jobs", () => {
  it("cools down from the third failure in a row, twice as long each time, up to the cap", () => {
    let record: NodeCooldown | undefined;
    const waits: (number | undefined)[] = [];
    let now = 0;
    for (let failures = 1; failures <= 12; failures++) {
      record = afterNodeFailure(record, lost, `job_${failures}`, at(now));
      const { until } = record;
      waits.push(until === undefined ? undefined : until.getTime() - at(now).getTime());
      now += 1 + (waits.at(-1) ?? 0) / 1000;
    }
    expect(waits.slice(0, 5)).toEqual([undefined, undefined, 10_000, 20_000, 40_000]);
    expect(waits.at(-1)).toBe(MAX_COOLDOWN_MS);
    expect(record).toMatchObject({ failures: 12, reason: "NODE_LOST", jobId: "job_12" });
  });

  it("comes back when its time is over, and is cooled again by one more failure", () => {
    const record = [0, 1, 2].reduce<NodeCooldown | undefined>(
      (before, second) => afterNodeFailure(before, lost, "job_1", at(second)),
      undefined,
    );
    expect([isCoolingDown(record, at(11)), isCoolingDown(record, at(12))]).toEqual([true, false]);
    expect(afterNodeFailure(record, lost, "job_2", at(20)).until).toEqual(at(40));
  });

  it("is forgiven after ten minutes without another", () => {
    const record = afterNodeFailure(undefined, lost, "job_1", at(0));
    expect([isForgotten(record, at(599)), isForgotten(record, at(600))]).toEqual([false, true]);
    expect(afterNodeFailure({ ...record, failures: 2 }, lost, "job_1", at(600)).failures).toBe(1);
  });

  it.each<[string, Partial<Failure>, boolean]>([
    ["a killed rank", { class: "infra", reason: "RANK_KILLED", signal: 9 }, true],
    ["a lost node", { class: "infra", reason: "NODE_LOST" }, true],
    ["data that cannot be fetched there", { class: "data", reason: "DATA_FETCH_FAILED" }, true],
    ["ranks that cannot be started there", { class: "platform", reason: "START_FAILED" }, true],
    ["a program that segfaults", { class: "infra", reason: "RANK_KILLED", signal: 11 }, false],
    ["a network between nodes", { class: "infra", reason: "PEERS_UNREACHABLE" }, false],
    ["the user's exception", { class: "user", reason: "RANK_EXITED" }, false],
    ["a drain", { class: "preempted", reason: "NODE_DRAINED" }, false],
    ["a failure of no node", { class: "infra", reason: "RANK_KILLED", nodeId: undefined as never }, false],
  ])("counts %s or not", (_what, failure, counts) => {
    expect(isNodesFailure({ ...lost, ...failure })).toBe(counts);
  });
});
