import { Code, ConnectError } from "@connectrpc/connect";
import { openBlobStore } from "@trainyard/blob";
import { scheduler } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { fromConnectError, type Principal } from "@trainyard/service";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createWorld, type World } from "./test-support/world.ts";

const { JobKind, PendingReason } = scheduler;

/** What the call was refused with. */
async function refusal(call: Promise<unknown>) {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw new Error(`expected a refusal, got ${String(error)}`);
  return fromConnectError(error);
}

let world: World;
let api: Awaited<ReturnType<World["api"]>>;
let app: Awaited<ReturnType<World["scheduler"]>>;

beforeAll(async () => {
  world = await createWorld();
  app = await world.scheduler();
  api = await world.api(app);
});
afterAll(() => app.stop());

const submit = (more: Parameters<World["spec"]>[0], requestId: string = crypto.randomUUID()) =>
  api.submitJob({ requestId, spec: world.spec(more) });
const countJobs = async () => (await api.listJobs({ page: { pageSize: 500 } })).jobs.length;

describe("a submission", () => {
  it("is accepted while no node has ever joined, and says that it waits for one", async () => {
    const { job } = await submit({ ranks: 64 });
    const seen = api.watchJob({ jobId: job?.id ?? "" }, { timeoutMs: 0 });
    for await (const { job: now } of seen) {
      if (now?.pending?.reason !== PendingReason.NOT_ENOUGH_SLOTS) continue;
      expect(now.pending.message).toContain("No node has joined yet");
      break;
    }
    await api.cancelJob({ requestId: crypto.randomUUID(), jobId: job?.id ?? "" });
  });

  it("gives the same answer to the same request id, and refuses the id with another body", async () => {
    const first = await submit({ name: "once" }, "req-1");
    const before = await countJobs();
    expect((await submit({ name: "once" }, "req-1")).job?.id).toBe(first.job?.id);
    const holders = await openBlobStore(world.config.blobUrl).pins(world.code);
    expect(holders).toContain(`job:default:${first.job?.runId}`);
    expect(await countJobs()).toBe(before);
    expect(await refusal(submit({ name: "other" }, "req-1"))).toMatchObject({
      code: "already_exists",
      reason: "REQUEST_ID_REUSED",
    });
  });

  it("becomes one job when the same request is sent many times at once", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => submit({ name: "burst" }, "req-2")));
    expect(new Set(answers.map(({ job }) => job?.id)).size).toBe(1);
  });

  it("is refused with every problem at once, and changes nothing", async () => {
    const before = await countJobs();
    const error = await refusal(
      submit({
        name: "-x",
        ranks: 0,
        retries: 101,
        entrypoint: ["../train.py"],
        env: { RANK: "1", TRAINYARD_X: "" },
      }),
    );
    expect(error).toMatchObject({ code: "invalid_argument", reason: "JOB_SPEC_INVALID" });
    expect(error.violations.map(({ field }) => field).sort()).toEqual([
      "spec.entrypoint[0]",
      "spec.env.RANK",
      "spec.env.TRAINYARD_X",
      "spec.name",
      "spec.ranks",
      "spec.retries",
    ]);
    expect(await countJobs()).toBe(before);
  });

  it("passes the dataset service's refusal on, under the job's field", async () => {
    expect(await refusal(submit({ dataset: { name: "missing", version: "latest" } }))).toMatchObject({
      code: "not_found",
      reason: "DATASET_NOT_FOUND",
      violations: [{ field: "spec.dataset.name" }],
    });
  });

  it("is refused when its code was not uploaded or its queue does not exist", async () => {
    const missing = { digest: "0".repeat(64), sizeBytes: 1n };
    expect(await refusal(submit({ code: missing }))).toMatchObject({
      reason: "BLOB_MISSING",
      violations: [{ field: "spec.code.digest" }],
    });
    expect(await refusal(submit({ queue: "vip" }))).toMatchObject({
      code: "not_found",
      reason: "QUEUE_NOT_FOUND",
    });
  });

  it("from another run is bound to the checkpoint that was found, and refused when there is none", async () => {
    const runId = newId("run");
    const { job } = await submit({ startFrom: { runId } });
    expect(job?.spec?.startFrom).toMatchObject({ runId, step: 70n, checkpointId: `ckpt_of_${runId}` });
    expect(await refusal(submit({ startFrom: { runId, step: 71n } }))).toMatchObject({
      reason: "CHECKPOINT_NOT_FOUND",
      violations: [{ field: "spec.start_from" }],
    });
    expect(await refusal(submit({ startFrom: { runId: "digits" } }))).toMatchObject({
      violations: [{ field: "spec.start_from.run_id" }],
    });
  });

  it("without a word on checkpoints has one every quarter of an hour, with steps only those", async () => {
    const policy = async (checkpoint: NonNullable<Parameters<World["spec"]>[0]>["checkpoint"]) =>
      (await submit({ checkpoint })).job?.spec?.checkpoint;
    expect(await policy({})).toMatchObject({ everySteps: 0n, everySeconds: 900n, keep: 3 });
    expect(await policy({ everySteps: 50n })).toMatchObject({ everySteps: 50n, everySeconds: 0n });
    const best = { metric: "loss", mode: scheduler.BestMode.MAX, keep: 2 };
    const all = { everySteps: 50n, everySeconds: 60n, keep: 5, best, stream: true };
    expect(await policy(all)).toMatchObject(all);
    expect(await refusal(submit({ checkpoint: { best: { metric: "", keep: 2_000 } } }))).toMatchObject({
      violations: [{ field: "spec.checkpoint.best.metric" }, { field: "spec.checkpoint.best.keep" }],
    });
  });

  it("of an evaluation is taken from the evaluation service only", async () => {
    expect((await refusal(submit({ kind: JobKind.EVALUATION }))).reason).toBe("EVALUATION_JOB_NOT_ALLOWED");
    const service: Principal = { name: "evaluation", kind: "service", roles: [] };
    const { job } = await (await world.api(app, service)).submitJob({
      requestId: "eval_1",
      spec: world.spec({ kind: JobKind.EVALUATION }),
    });
    expect(job?.createdBy).toBe("service:evaluation");
  });

  it("is refused without the role, and another project's jobs are not there", async () => {
    const viewer = await world.api(app, { name: "bob", kind: "user", roles: ["viewer"] });
    const error = await refusal(viewer.submitJob({ requestId: "r", spec: world.spec() }));
    expect(error.code).toBe("permission_denied");
    const { job } = await submit({});
    const stranger = await world.api(app, { name: "eve", kind: "user", roles: ["admin"], project: "other" });
    expect((await refusal(stranger.getJob({ jobId: job?.id ?? "" }))).reason).toBe("JOB_NOT_FOUND");
    expect((await refusal(stranger.cancelJob({ requestId: "c", jobId: job?.id ?? "" }))).reason).toBe(
      "JOB_NOT_FOUND",
    );
    expect((await stranger.listJobs({})).jobs).toEqual([]);
    await expect(
      stranger.submitJob({ requestId: "p", project: "default", spec: world.spec() }),
    ).rejects.toMatchObject({
      code: Code.PermissionDenied,
    });
  });

  it("is refused when it would never fit the fleet, with the numbers", async () => {
    await world.agent("n1", 2);
    await world.agent("n2", 1);
    expect(await refusal(submit({ ranks: 2, slotsPerRank: 2 }))).toMatchObject({
      code: "failed_precondition",
      reason: "WOULD_NEVER_FIT",
      metadata: { slots_needed: "4", slots_known: "3", ranks_that_fit: "1" },
    });
    expect(await refusal(submit({ slotKind: "tpu" }))).toMatchObject({
      reason: "WOULD_NEVER_FIT",
      violations: [{ field: "spec.slot_kind", description: expect.stringContaining("there are: cpu.") }],
    });
    expect((await submit({ slotKind: "cpu" })).job?.spec?.slotKind).toBe("cpu");
  });

  it("is listed newest first, page by page, and exported oldest first", async () => {
    const ids: string[] = [];
    let pageToken = "";
    do {
      const { jobs, page } = await api.listJobs({ page: { pageSize: 2, pageToken } });
      ids.push(...jobs.map(({ id }) => id));
      pageToken = page?.nextPageToken ?? "";
    } while (pageToken !== "");
    expect(ids).toEqual([...ids].sort().reverse());
    expect(ids.length).toBeGreaterThan(3);
    const admin = await world.api(app, { name: "root", kind: "user", roles: ["admin"] });
    const exported: string[] = [];
    for await (const { job } of admin.exportJobs({})) exported.push(job?.id ?? "");
    expect(exported).toEqual([...ids].reverse());
  });
});
