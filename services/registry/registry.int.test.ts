import { decodeCloudEvent, evaluation, peekCloudEvent, registry, tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { fromConnectError } from "@trainyard/service";
import { waitFor } from "@trainyard/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  as,
  blobsOfRegistry,
  busOf,
  clientOf,
  evaluationEnded,
  passed,
  passedVersion,
  reasonOf,
  runEnded,
  startRegistry,
  stopRegistry,
  trainedRun,
} from "./test-registry.ts";

beforeAll(startRegistry);
afterAll(stopRegistry);

describe("registry", () => {
  it("makes one staging version of a completed run, however often its end is told", async () => {
    const run = trainedRun("once");
    const id = await runEnded(run);
    await runEnded(run, id);
    await runEnded(run);
    await runEnded({ ...trainedRun("once"), status: tracking.RunStatus.FAILED });
    await passedVersion("once-later");
    const { modelVersions } = await (await as("vi", "viewer")).listModelVersions({ model: "once" });
    expect(modelVersions).toHaveLength(1);
    expect(modelVersions[0]).toMatchObject({
      number: 1,
      version: "1.0.0",
      stage: registry.Stage.STAGING,
      submittedBy: "user:ada",
      runId: run.id,
      metrics: { accuracy: 0.97 },
    });
    expect(await blobsOfRegistry().pins("d0".repeat(32))).toContain(`model:default:${run.id}`);
  });

  it("lets another person's approval make a version champion, and archives its predecessor", async () => {
    const grace = await as("grace", "approver");
    const first = await passedVersion("champ");
    const approved = await grace.approveModelVersion({
      requestId: newId("req"),
      model: "champ",
      version: "1.0.0",
    });
    expect(approved).toMatchObject({
      transitioned: true,
      modelVersion: { stage: registry.Stage.CHAMPION, promotedBy: "user:grace" },
    });

    const second = await passedVersion("champ", "c2");
    expect(second.version).toBe("1.1.0");
    await grace.approveModelVersion({ requestId: newId("req"), model: "champ", version: second.id });
    const { model } = await grace.getModel({ name: "champ" });
    expect(model?.champion?.id).toBe(second.id);
    expect((await grace.getModelVersion({ version: first.id })).modelVersion?.stage).toBe(
      registry.Stage.ARCHIVED,
    );

    const { champion } = await grace.rollbackModel({ requestId: newId("req"), model: "champ" });
    expect(champion?.id).toBe(first.id);
    const { changes } = await grace.listStageChanges({ model: "champ" });
    expect(changes.map(({ reason }) => reason)).toEqual([
      "rollback",
      "rollback",
      "promoted",
      "replaced by 1.1.0",
      "promoted",
    ]);
  });

  it("refuses the submitter, a failed gate and a missing role, and changes nothing", async () => {
    const version = await passedVersion("refused");
    const requestId = newId("req");
    const submitter = await as("ada", "approver");
    expect(
      await reasonOf(submitter.approveModelVersion({ requestId, model: "refused", version: version.id })),
    ).toBe("APPROVER_IS_SUBMITTER");
    const viewer = await as("vi", "viewer");
    expect(
      await reasonOf(viewer.approveModelVersion({ requestId, model: "refused", version: version.id })),
    ).toBe("ROLE_MISSING");
    const promote = { requestId, model: "refused", version: version.id, stage: registry.Stage.CHAMPION };
    expect(await reasonOf((await as("bob", "submitter")).transitionModelVersion(promote))).toBe(
      "ROLE_MISSING",
    );
    const grace = await as("grace", "approver");
    expect(await reasonOf(grace.transitionModelVersion(promote))).toBe("APPROVAL_MISSING");
    await evaluationEnded(version.id, evaluation.EvaluationState.FAILED, "accuracy 0.5 is below 0.9");
    await waitFor(
      "the failed gate",
      async () =>
        (await viewer.getModelVersion({ version: version.id })).modelVersion?.gate?.passed === false,
    );
    const error = await grace
      .approveModelVersion({ requestId, model: "refused", version: version.id })
      .catch(fromConnectError);
    expect(error).toMatchObject({ reason: "GATE_FAILED" });
    expect(String(error)).toContain("accuracy 0.5 is below 0.9");
    expect((await viewer.getModelVersion({ version: version.id })).modelVersion?.stage).toBe(
      registry.Stage.STAGING,
    );
  });

  it("promotes what was trained on untracked data with a recorded waiver only", async () => {
    const version = await passed(trainedRun("untracked", "c1", ["/data/mnist"]), "untracked");
    expect(version.untrackedDataPaths).toEqual(["/data/mnist"]);
    const grace = await as("grace", "approver");
    const named = { model: "untracked", version: version.id };
    const approval = () => grace.approveModelVersion({ requestId: newId("req"), ...named });
    expect(await reasonOf(approval())).toBe("DATA_UNTRACKED");
    const waiver = { requestId: newId("req"), ...named, reason: " checked by hand " };
    expect(await reasonOf((await as("bob", "submitter")).waiveUntrackedData(waiver))).toBe("ROLE_MISSING");
    const gateway = await busOf("gateway");
    const told = gateway.nc.subscribe("trainyard.default.registry.model_version.waived.v1.*", { max: 1 });
    await gateway.nc.flush();
    const first = await grace.waiveUntrackedData(waiver);
    expect(first.modelVersion?.waiver).toMatchObject({ by: "user:grace", reason: "checked by hand" });
    expect(await grace.waiveUntrackedData(waiver)).toEqual(first);
    for await (const message of told) {
      const event = peekCloudEvent(message.data);
      expect(event).toMatchObject({ actor: "user:grace", data: { waiver: { reason: "checked by hand" } } });
    }
    expect(await approval()).toMatchObject({ transitioned: true });
  });

  it("refuses to promote an archived version", async () => {
    const version = await passedVersion("archived");
    const grace = await as("grace", "approver");
    const archive = {
      requestId: newId("req"),
      model: "archived",
      version: version.id,
      stage: registry.Stage.ARCHIVED,
    };
    await (await as("bob", "submitter")).transitionModelVersion(archive);
    const call = grace.approveModelVersion({
      requestId: newId("req"),
      model: "archived",
      version: version.id,
    });
    expect(await reasonOf(call)).toBe("VERSION_ARCHIVED");
  });

  it("has exactly one champion when many approve many versions at once", async () => {
    const versions = [];
    for (const code of ["a", "b", "c", "d"]) versions.push(await passedVersion("race", code));
    const approvers = await Promise.all(["u1", "u2", "u3"].map((name) => as(name, "approver")));
    await Promise.all(
      versions.flatMap(({ id }) =>
        approvers.map((client) =>
          client
            .approveModelVersion({ requestId: newId("req"), model: "race", version: id })
            .catch(() => undefined),
        ),
      ),
    );
    const { modelVersions } = await (await as("vi", "viewer")).listModelVersions({
      model: "race",
      stage: registry.Stage.CHAMPION,
    });
    expect(modelVersions).toHaveLength(1);
  });

  it("answers a repeated request as the first time, and refuses its id for another", async () => {
    const submitter = await as("bob", "submitter");
    const request = { requestId: newId("req"), model: "byhand", artifactUri: "s3://bucket/model" };
    const first = await submitter.registerModelVersion(request);
    const again = await submitter.registerModelVersion(request);
    expect(again).toEqual(first);
    expect(await reasonOf(submitter.registerModelVersion({ ...request, notes: "other" }))).toBe(
      "REQUEST_ID_REUSED",
    );
    const { modelVersions } = await submitter.listModelVersions({ model: "byhand" });
    expect(modelVersions).toHaveLength(1);
    expect(
      await reasonOf(
        submitter.registerModelVersion({ ...request, requestId: newId("req"), version: "1.0.0" }),
      ),
    ).toBe("MODEL_VERSION_EXISTS");
  });

  it("tells the world of a promotion by one event", async () => {
    const seen: string[] = [];
    const gateway = await busOf("gateway");
    const subscription = gateway.nc.subscribe("trainyard.default.registry.model_version.stage_changed.v1.*");
    await gateway.nc.flush();
    const version = await passedVersion("told");
    await (await as("grace", "approver")).approveModelVersion({
      requestId: newId("req"),
      model: "told",
      version: version.id,
    });
    for await (const message of subscription) {
      const event = peekCloudEvent(message.data);
      seen.push(event.type);
      expect(event).toMatchObject({ project: "default", actor: "user:grace" });
      if (JSON.stringify(event.data).includes(version.id)) break;
    }
    expect(new Set(seen)).toEqual(new Set(["trainyard.registry.model_version.stage_changed.v1"]));
  });

  it("tells the world of each version that is removed, alone or with its model", async () => {
    const gateway = await busOf("gateway");
    const subscription = gateway.nc.subscribe("trainyard.default.registry.model_version.deleted.v1.*");
    await gateway.nc.flush();
    const submitter = await as("ada", "submitter");
    const register = async () => {
      const request = { requestId: newId("req"), model: "removed", artifactUri: "s3://bucket/model" };
      return (await submitter.registerModelVersion(request)).modelVersion?.id ?? "";
    };
    const ids = [await register(), await register(), await register()];
    const catalog = await clientOf(registry.CatalogService, "root", ["admin"]);
    const request = { requestId: newId("req"), model: "removed", version: ids[1] ?? "" };
    await catalog.deleteModelVersion(request);
    await catalog.deleteModelVersion(request);
    await catalog.deleteModel({ requestId: newId("req"), model: "removed" });
    const told: [string, number, string][] = [];
    for await (const message of subscription) {
      const { data, aggregateversion } = decodeCloudEvent(registry.ModelVersionDeletedSchema, message.data);
      const { id = "", aggregateVersion = 0n } = data.modelVersion ?? {};
      expect(Number(aggregateVersion)).toBe(aggregateversion);
      told.push([id, aggregateversion, data.modelVersion?.model ?? ""]);
      if (told.length === 3) break;
    }
    expect(told.toSorted()).toEqual(
      [
        [ids[0], 5, "removed"],
        [ids[1], 4, "removed"],
        [ids[2], 5, "removed"],
      ].toSorted(),
    );
  });

  it("pages through versions, and refuses a token of another list", async () => {
    const viewer = await as("vi", "viewer");
    const ids: string[] = [];
    let pageToken = "";
    do {
      const answer = await viewer.listModelVersions({ page: { pageSize: 3, pageToken } });
      ids.push(...answer.modelVersions.map(({ id }) => id));
      pageToken = answer.page?.nextPageToken ?? "";
    } while (pageToken !== "");
    expect(ids).toEqual([...new Set(ids)].sort().reverse());
    expect(ids.length).toBeGreaterThan(8);
    const { page } = await viewer.listModelVersions({ page: { pageSize: 1, pageToken: "" } });
    const other = viewer.listModels({ page: { pageSize: 1, pageToken: page?.nextPageToken ?? "" } });
    expect(await reasonOf(other)).toBe("INVALID_PAGE_TOKEN");
    expect(await reasonOf(viewer.getModelVersion({ model: "nope", version: "1" }))).toBe("MODEL_NOT_FOUND");
  });
});
