import { isDomainError } from "@trainyard/domain";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { moveVersion, rollback, rollbackTarget } from "./champion.ts";
import type { Model, ModelVersion } from "./model-version.ts";
import { nextVersion } from "./next-version.ts";
import { assertMayApprove, assertMayMove, obstacles } from "./promotion.ts";
import type { Stage } from "./stage.ts";
import { waived } from "./waiver.ts";

const at = new Date("2026-01-01T00:00:00Z");
const later = new Date("2026-01-01T01:00:00Z");

function version(fields: Partial<ModelVersion> = {}): ModelVersion {
  return {
    id: "mv_1",
    project: "default",
    model: "digits",
    number: 1,
    version: "1.0.0",
    stage: "staging",
    origin: {
      runId: "run_1",
      jobId: "job_1",
      datasetVersionId: "dsv_1",
      codeDigest: "c1",
      paramsHash: "p1",
      submittedBy: "user:ada",
    },
    artifactUri: "",
    files: [],
    digest: "",
    framework: "torch",
    metrics: {},
    suite: "digits",
    approvals: [],
    promotedBy: "",
    notes: "",
    aggregateVersion: 1,
    createdBy: "user:ada",
    createdAt: at,
    traceparent: "",
    ...fields,
  };
}

const model: Model = {
  id: "model_1",
  project: "default",
  name: "digits",
  description: "",
  versionCount: 1,
  championId: "",
  formerChampionIds: [],
  version: 1,
  createdBy: "user:ada",
  createdAt: at,
};

const passed = { evaluationId: "eval_1", passed: true, messages: [], suite: "digits@1", at };
const failed = { ...passed, passed: false, messages: ["accuracy 0.8 is below 0.9"] };
const approval = (by: string, when = later) => ({ by, stage: "champion" as const, at: when, comment: "" });

const untracked = { ...version().origin, datasetVersionId: "", untrackedDataPaths: ["/data/mnist"] };
const waiverBy = (by: string, reason = "checked by hand") => ({ by, reason, at: later });

function reasonOf(fn: () => void): string {
  try {
    fn();
  } catch (error) {
    if (isDomainError(error)) return error.reason;
    throw error;
  }
  return "none";
}

describe("promotion", () => {
  it.each<[string, Partial<ModelVersion>, Stage, string]>([
    ["is refused without an evaluation", {}, "champion", "GATE_MISSING"],
    [
      "is refused when a gate failed, whoever approves",
      { gate: failed, approvals: [approval("user:bob")] },
      "champion",
      "GATE_FAILED",
    ],
    ["is refused without an approval", { gate: passed }, "champion", "APPROVAL_MISSING"],
    [
      "does not count the submitter's own approval",
      { gate: passed, approvals: [approval("user:ada")] },
      "champion",
      "APPROVAL_MISSING",
    ],
    [
      "does not count an approval from before the newest evaluation",
      { gate: { ...passed, at: later }, approvals: [approval("user:bob", at)] },
      "champion",
      "APPROVAL_MISSING",
    ],
    [
      "is allowed with passed gates and another's approval",
      { gate: passed, approvals: [approval("user:bob")] },
      "champion",
      "none",
    ],
    ["needs no approval for a canary", { gate: passed }, "canary", "none"],
    ["needs passed gates for a canary", { gate: failed }, "canary", "GATE_FAILED"],
    [
      "is refused for an archived version",
      { stage: "archived", gate: passed, approvals: [approval("user:bob")] },
      "champion",
      "VERSION_ARCHIVED",
    ],
    [
      "is refused where nothing has recorded the data, although gates passed and another approved",
      { gate: passed, approvals: [approval("user:bob")], origin: untracked },
      "champion",
      "DATA_UNTRACKED",
    ],
    ["is refused for such a canary", { gate: passed, origin: untracked }, "canary", "DATA_UNTRACKED"],
    ["allows archiving it", { origin: untracked }, "archived", "none"],
    [
      "is allowed when somebody answers for the data",
      { gate: passed, approvals: [approval("user:bob")], origin: untracked, waiver: waiverBy("user:bob") },
      "champion",
      "none",
    ],
    ["does not take a champion back to staging", { stage: "champion" }, "staging", "TRANSITION_NOT_ALLOWED"],
    ["allows archiving what was never evaluated", {}, "archived", "none"],
  ])("%s", (_sentence, fields, to, reason) => {
    expect(reasonOf(() => assertMayMove(version(fields), to))).toBe(reason);
  });

  it("names every obstacle, not only the first", () => {
    expect(obstacles(version(), "champion").map(({ reason }) => reason)).toEqual([
      "GATE_MISSING",
      "APPROVAL_MISSING",
    ]);
  });

  it("may be approved by anyone but the submitter, once the gates passed", () => {
    expect(reasonOf(() => assertMayApprove(version({ gate: passed }), "champion", "user:ada"))).toBe(
      "APPROVER_IS_SUBMITTER",
    );
    expect(reasonOf(() => assertMayApprove(version({ gate: passed }), "champion", "user:bob"))).toBe("none");
    expect(reasonOf(() => assertMayApprove(version({ gate: failed }), "champion", "user:bob"))).toBe(
      "GATE_FAILED",
    );
  });
});

describe("a waiver", () => {
  it.each<[string, Partial<ModelVersion>, string, string, string]>([
    ["is another person's word", { origin: untracked }, "user:bob", "checked", "none"],
    ["is not the submitter's", { origin: untracked }, "user:ada", "checked", "APPROVER_IS_SUBMITTER"],
    ["needs a reason", { origin: untracked }, "user:bob", "", "REASON_MISSING"],
    [
      "needs a reason of at most 4096 characters",
      { origin: untracked },
      "user:bob",
      "x".repeat(4097),
      "REASON_MISSING",
    ],
    ["is for untracked data only", {}, "user:bob", "checked", "NOTHING_TO_WAIVE"],
  ])("%s", (_sentence, fields, by, reason, expected) => {
    expect(reasonOf(() => waived(version(fields), waiverBy(by, reason)))).toBe(expected);
  });
});

describe("champion", () => {
  const cause = { by: "user:bob", at, reason: "promoted" };

  it("replaces the present one, which is archived first", () => {
    const old = version({ id: "mv_old", stage: "champion", version: "1.0.0" });
    const move = moveVersion(
      { ...model, championId: old.id },
      version({ id: "mv_new", version: "1.1.0" }),
      "champion",
      old,
      cause,
    );
    expect(move.versions.map(({ id, stage }) => [id, stage])).toEqual([
      ["mv_old", "archived"],
      ["mv_new", "champion"],
    ]);
    expect(move.model).toMatchObject({ championId: "mv_new", formerChampionIds: ["mv_old"], version: 2 });
    expect(move.changes.map(({ reason }) => reason)).toEqual(["replaced by 1.1.0", "promoted"]);
  });

  it("comes back by rollback, one step further each time", () => {
    const now = { ...model, championId: "mv_3", formerChampionIds: ["mv_1", "mv_2"] };
    const move = rollback(
      now,
      version({ id: "mv_2", stage: "archived" }),
      version({ id: "mv_3", stage: "champion" }),
      cause,
    );
    expect(move.model).toMatchObject({ championId: "mv_2", formerChampionIds: ["mv_1"] });
    expect(rollbackTarget(move.model)).toBe("mv_1");
    expect(reasonOf(() => rollbackTarget(model))).toBe("NO_PREVIOUS_CHAMPION");
  });

  it("is at most one, whatever is promoted, archived and rolled back", () => {
    const action = fc.record({ kind: fc.constantFrom("promote", "archive", "rollback"), index: fc.nat(4) });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        let current = model;
        const all = new Map([0, 1, 2, 3, 4].map((n) => [`mv_${n}`, version({ id: `mv_${n}` })]));
        for (const { kind, index } of actions) {
          const champion = all.get(current.championId);
          const chosen = all.get(`mv_${index}`);
          if (chosen === undefined) continue;
          const former = all.get(current.formerChampionIds.at(-1) ?? "");
          let move: ReturnType<typeof rollback> | undefined;
          if (kind === "rollback" && former !== undefined) move = rollback(current, former, champion, cause);
          else if (kind === "promote" && ["staging", "canary"].includes(chosen.stage)) {
            move = moveVersion(current, chosen, "champion", champion, cause);
          } else if (kind === "archive" && chosen.stage !== "archived") {
            move = moveVersion(current, chosen, "archived", champion, cause);
          }
          if (move === undefined) continue;
          current = move.model;
          for (const changed of move.versions) all.set(changed.id, changed);
          const champions = [...all.values()].filter(({ stage }) => stage === "champion").map(({ id }) => id);
          expect(champions).toEqual(current.championId === "" ? [] : [current.championId]);
        }
      }),
    );
  });
});

describe("version number", () => {
  const signature = { inputs: [{ name: "x", dtype: "float32", shape: [-1, 64] }], outputs: [] };
  const { origin } = version();

  it.each([
    ["starts at 1.0.0", [], { origin, signature }, "1.0.0"],
    ["is a major when the signature changes", [version({ signature })], { origin }, "2.0.0"],
    [
      "is a patch for a rerun of the same code, data and parameters",
      [version({ signature })],
      { origin, signature },
      "1.0.1",
    ],
    [
      "is a minor for other code",
      [version({ signature })],
      { origin: { ...origin, codeDigest: "c2" }, signature },
      "1.1.0",
    ],
    [
      "is a minor for other parameters",
      [version({ signature })],
      { origin: { ...origin, paramsHash: "p2" }, signature },
      "1.1.0",
    ],
    [
      "follows the highest version, not the newest",
      [version({ version: "1.9.0", signature }), version({ version: "1.10.0", signature })],
      { origin, signature },
      "1.10.1",
    ],
  ])("%s", (_sentence, existing, candidate, expected) => {
    expect(nextVersion(existing, candidate)).toBe(expected);
  });
});
