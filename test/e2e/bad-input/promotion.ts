import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { dataset, registry, scheduler } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { digitsDir, digitsParquet } from "../../flow/digits.ts";
import type { UnderTest } from "../under-test.ts";
import { refused } from "./refused.ts";
import { runToEnd, scriptSpec } from "./script-job.ts";

const untrained = `
import torch
import trainyard
with trainyard.init() as run:
    features = run.dataset("train").match("pixel_*")
    run.model(torch.nn.Linear(64, 10), torch.zeros(2, 64), features=features)
`;

/** A model that knows nothing, evaluated by the example's own suite. */
async function badVersion({ user, dir }: UnderTest): Promise<registry.ModelVersion> {
  const sourceDigest = await user.upload(await digitsParquet(dir));
  const contractYaml = await readFile(join(digitsDir, "contract.yaml"), "utf8");
  const format = dataset.FileFormat.PARQUET;
  await user.dataset.registerDatasetVersion(
    { requestId: randomUUID(), name: "digits", sourceDigest, format, contractYaml },
    { timeoutMs: 180_000 },
  );
  const suiteYaml = await readFile(join(digitsDir, "suite.yaml"), "utf8");
  await user.evaluation.applySuite({ requestId: randomUUID(), suiteYaml });
  const spec = await scriptSpec(user, dir, untrained, {
    name: "untrained",
    dataset: create(scheduler.DatasetRefSchema, { name: "digits", version: "latest" }),
    model: create(scheduler.ModelTargetSchema, { name: "digits", suite: "digits" }),
  });
  const job = await runToEnd(user, spec);
  expect(job.failure?.tracebackTail).toBeUndefined();
  return waitFor(
    "the gate's result",
    async () => {
      const { modelVersions } = await user.registry.listModelVersions({ runId: job.runId });
      return modelVersions.find(({ gate }) => gate !== undefined);
    },
    { timeoutMs: 180_000, intervalMs: 100 },
  );
}

/** Versions that may not become champion, and people who may not make them. */
export function promotionCases(under: () => UnderTest): void {
  describe("a promotion", () => {
    let version: registry.ModelVersion;
    beforeAll(async () => {
      version = await badVersion(under());
    });

    const approve =
      (secret: string, of = version.version) =>
      () =>
        under()
          .clientsOf(secret)
          .registry.approveModelVersion({ requestId: randomUUID(), model: "digits", version: of });

    it("of a version whose gate failed is refused with the numbers", async () => {
      expect(version).toMatchObject({ stage: registry.Stage.STAGING, gate: { passed: false } });
      const { approver } = under().fleet.tokens;
      const error = await refused(under(), approve(approver));
      expect(error).toMatchObject({ code: "failed_precondition", reason: "GATE_FAILED" });
      expect(error.message).toMatch(
        /^digits 1\.0\.0 cannot become champion: its gates failed: accuracy .*0\.\d+.*0\.93/,
      );
      const transition = { requestId: randomUUID(), model: "digits", version: version.id, stage: 3 };
      const moved = await refused(under(), () =>
        under().approver.registry.transitionModelVersion(transition),
      );
      expect(moved).toMatchObject({ code: "failed_precondition", reason: "GATE_FAILED" });
    });

    it("by who submitted it is refused, also when they are an approver", async () => {
      const submitter = version.submittedBy.replace(/^user:/, "");
      const { secret } = await under().tokens.createToken({
        requestId: randomUUID(),
        principal: submitter,
        roles: ["viewer", "submitter", "approver"],
      });
      const error = await refused(under(), approve(secret));
      expect(error).toMatchObject({ code: "permission_denied", reason: "APPROVER_IS_SUBMITTER" });
      expect(error.message).toContain("another person with the role approver has to");
    });

    it("by who is no approver is refused with the role", async () => {
      const error = await refused(under(), approve(under().fleet.tokens.submitter));
      expect(error).toMatchObject({ code: "permission_denied", reason: "ROLE_MISSING" });
      expect(error.message).toContain("approver");
    });

    it("of a version that nobody evaluated is refused with how to", async () => {
      const { modelVersion } = await under().user.registry.registerModelVersion({
        requestId: randomUUID(),
        model: "digits",
        artifactUri: "s3://bucket/model",
      });
      const error = await refused(
        under(),
        approve(under().fleet.tokens.approver, modelVersion?.version ?? ""),
      );
      expect(error).toMatchObject({ code: "failed_precondition", reason: "GATE_MISSING" });
      expect(error.message).toContain("trainyard evaluate");
    });

    it("of an archived version is refused", async () => {
      const { user, fleet } = under();
      const requestId = randomUUID();
      const stage = registry.Stage.ARCHIVED;
      await user.registry.transitionModelVersion({ requestId, model: "digits", version: version.id, stage });
      const error = await refused(under(), approve(fleet.tokens.approver));
      expect(error).toMatchObject({ code: "failed_precondition", reason: "VERSION_ARCHIVED" });
      expect(error.message).toContain("Only a rollback brings back a former champion");
    });

    it("of what is not there is refused", async () => {
      const { approver } = under().fleet.tokens;
      const error = await refused(under(), approve(approver, "9.9.9"));
      expect(error).toMatchObject({ code: "not_found", reason: "MODEL_VERSION_NOT_FOUND" });
      expect(error.message).toContain("9.9.9");
    });
  });
}
