import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { scheduler, tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { beforeAll, describe, expect, it } from "vitest";
import { aJob, ended, publishEvent, startTracking, type TestTracking } from "./test-service.ts";
import { asUser, type Caller, errorOf, nextRequest, reasonOf } from "./test-users.ts";

const { RunStatus, Lifecycle } = tracking;

let service: TestTracking;
let ada: Caller;
let bob: Caller;
let viewer: Caller;
let stranger: Caller;

beforeAll(async () => {
  service = await startTracking({ maxRunsPerExperiment: 40 });
  [ada, bob, viewer, stranger] = await Promise.all([
    asUser(service, "ada"),
    asUser(service, "bob"),
    asUser(service, "vic", { roles: ["viewer"] }),
    asUser(service, "eve", { project: "other" }),
  ]);
});

type NewRun = Omit<MessageInitShape<typeof tracking.CreateRunRequestSchema>, "$typeName">;
type Change = Omit<MessageInitShape<typeof tracking.UpdateRunRequestSchema>, "$typeName">;

async function aRun(changes: NewRun = {}): Promise<tracking.Run> {
  const { run } = await ada.runs.createRun({ requestId: nextRequest(), experiment: "outside", ...changes });
  if (run === undefined) throw new Error("no run");
  return run;
}

async function jobRun(end = true): Promise<string> {
  const job = aJob();
  await publishEvent(service.bus, scheduler.JobSubmittedSchema, job, { job });
  if (end) await publishEvent(service.bus, scheduler.JobEndedSchema, job, { job: ended(job) });
  await ada.tracking.getRun({ runId: job.runId });
  return job.runId;
}

const get = async (runId: string) => {
  const { run } = await ada.tracking.getRun({ runId });
  if (run === undefined) throw new Error("no run");
  return run;
};
const update = (runId: string, change: Change) =>
  ada.runs.updateRun({ requestId: nextRequest(), runId, ...change });
/** One point, by a call. */
const log = (runId: string, value: number) =>
  ada.metrics.logMetrics({
    runId,
    points: { keys: ["loss"], keyIndex: [0], steps: [1n], timesMs: [1], values: [value] },
  });
const emitted = async (id: string) =>
  (
    await service.store.db.collection("outbox").find({ subject: id }).sort({ order: 1, _id: 1 }).toArray()
  ).map(({ type }) => (type as string).replace("trainyard.tracking.", ""));

describe("an outside run", () => {
  it("keeps what it was opened with, in an experiment made by its name", async () => {
    const startedAt = timestampFromDate(new Date("2020-02-03T04:05:06.789Z"));
    const parent = await aRun();
    const run = await aRun({
      experiment: "A name with spaces / and slashes",
      name: "first try",
      params: { lr: "1e-3", "a.b": "$x" },
      tags: { team: "vision" },
      note: "# why",
      parentRunId: parent.id,
      startedAt,
      idleLimitSeconds: 60n,
    });
    expect(await get(run.id)).toMatchObject({
      jobId: "",
      status: RunStatus.RUNNING,
      name: "first try",
      experiment: "A name with spaces / and slashes",
      params: { lr: "1e-3", "a.b": "$x" },
      paramTexts: { lr: "1e-3", "a.b": "$x" },
      tags: { team: "vision" },
      note: "# why",
      parentRunId: parent.id,
      startTime: startedAt,
      idleLimitSeconds: 60n,
      createdBy: "user:ada",
      lifecycle: Lifecycle.ACTIVE,
      version: 1n,
    });
    expect(await emitted(run.id)).toEqual(["run.created.v1"]);
    expect(await emitted(run.experimentId)).toEqual(["experiment.created.v1"]);
  });

  it("is opened once by a repeated call, and ten at once share the experiment they name", async () => {
    const requestId = nextRequest();
    const [first, again] = [await aRun({ requestId }), await aRun({ requestId })];
    expect(again.id).toBe(first.id);
    const runs = await Promise.all(Array.from({ length: 10 }, () => aRun({ experiment: "shared" })));
    expect(new Set(runs.map(({ experimentId }) => experimentId)).size).toBe(1);
  });

  it("is one too many for an experiment that is full, by the limit's name", async () => {
    for (let n = 0; n < 40; n++) await aRun({ experiment: "full" });
    const error = await errorOf(aRun({ experiment: "full" }));
    expect(error).toMatchObject({ code: "resource_exhausted", reason: "LIMIT_EXCEEDED" });
    expect(error.metadata).toMatchObject({ limit: "MAX_RUNS_PER_EXPERIMENT", maximum: "40", got: "41" });
    await aRun({ experiment: "not full" });
  });

  it("ends, is resumed, and ends again, as its client says", async () => {
    const { id } = await aRun();
    await update(id, { status: RunStatus.COMPLETED });
    expect((await get(id)).endedAt).toBeDefined();
    await update(id, { status: RunStatus.RUNNING });
    expect(await get(id)).toMatchObject({ status: RunStatus.RUNNING });
    expect((await get(id)).endedAt).toBeUndefined();
    const endedAt = timestampFromDate(new Date("2030-01-01T00:00:00Z"));
    await update(id, { status: RunStatus.KILLED, endedAt });
    expect(await get(id)).toMatchObject({ status: RunStatus.KILLED, endedAt });
    expect(await emitted(id)).toEqual(["run.created.v1", "run.ended.v1", "run.updated.v1", "run.ended.v1"]);
  });

  it("that is brought ended is told as created and ended", async () => {
    const endedAt = timestampFromDate(new Date("2021-01-01T00:00:00Z"));
    const { id } = await aRun({ status: RunStatus.FAILED, endedAt });
    expect(await get(id)).toMatchObject({ status: RunStatus.FAILED, endedAt });
    expect(await emitted(id)).toEqual(["run.created.v1", "run.ended.v1"]);
  });

  it("takes parameters once: the same value again is fine, another names both", async () => {
    const { id } = await aRun({ params: { lr: "0.1" } });
    await ada.runs.logParams({ requestId: nextRequest(), runId: id, params: { lr: "0.1", wd: "0" } });
    const error = await errorOf(
      ada.runs.logParams({ requestId: nextRequest(), runId: id, params: { lr: "0.2", more: "1" } }),
    );
    expect(error).toMatchObject({
      code: "already_exists",
      reason: "PARAM_DIFFERS",
      metadata: { key: "lr", value: "0.1", given: "0.2" },
    });
    expect(error.message).toContain('is "0.1" and was now given as "0.2"');
    expect((await get(id)).paramTexts).toEqual({ lr: "0.1", wd: "0" });
  });

  it("has every parameter of two people who write at once, and one value of the one that both write", async () => {
    const { id } = await aRun();
    const write = (who: Caller, name: string) =>
      Promise.all(
        Array.from({ length: 10 }, (_, n) =>
          who.runs
            .logParams({ requestId: nextRequest(), runId: id, params: { [`${name}${n}`]: name } })
            .then(() =>
              reasonOf(
                who.runs.logParams({ requestId: nextRequest(), runId: id, params: { [`both${n}`]: name } }),
              ),
            ),
        ),
      );
    const [first, second] = await Promise.all([write(ada, "ada"), write(bob, "bob")]);
    const { paramTexts } = await get(id);
    expect(Object.keys(paramTexts)).toHaveLength(30);
    for (let n = 0; n < 10; n++) {
      const lost = paramTexts[`both${n}`] === "ada" ? second[n] : first[n];
      const won = paramTexts[`both${n}`] === "ada" ? first[n] : second[n];
      expect([won, lost]).toEqual([expect.not.stringMatching("PARAM_DIFFERS"), "PARAM_DIFFERS"]);
    }
  });

  it("takes tags, overwrites and removes them, all or none", async () => {
    const { id } = await aRun({ tags: { a: "1", b: "2" } });
    await ada.runs.setRunTags({ requestId: nextRequest(), runId: id, tags: { b: "3", "c d": "4" } });
    expect((await get(id)).tags).toEqual({ a: "1", b: "3", "c d": "4" });
    const remove = (...keys: string[]) =>
      ada.runs.deleteRunTags({ requestId: nextRequest(), runId: id, keys });
    expect(await reasonOf(remove("a", "none"))).toBe("TAG_NOT_FOUND");
    await remove("a", "c d");
    expect((await get(id)).tags).toEqual({ b: "3" });
  });

  it("keeps the datasets it was given, one per name and digest", async () => {
    const { id } = await aRun();
    const log = (context: string, digest: string) =>
      ada.runs.logInputs({
        requestId: nextRequest(),
        runId: id,
        inputs: [{ name: "digits", digest, sourceType: "local", source: "{}", context, tags: { k: "v" } }],
      });
    await log("training", "aa");
    await log("eval", "bb");
    await log("validation", "aa");
    const { inputs } = await get(id);
    expect(inputs.map(({ digest, context }) => [digest, context])).toEqual([
      ["aa", "validation"],
      ["bb", "eval"],
    ]);
  });
});

describe("the run of a job", () => {
  it("keeps its status and times, and takes a name, a note and tags after its end, but no more parameters", async () => {
    const id = await jobRun();
    expect(await reasonOf(update(id, { status: RunStatus.RUNNING }))).toBe("RUN_OF_A_JOB");
    await update(id, { name: "renamed", note: "*good*" });
    await ada.runs.setRunTags({ requestId: nextRequest(), runId: id, tags: { keep: "yes" } });
    expect(await get(id)).toMatchObject({ name: "renamed", note: "*good*", tags: { keep: "yes" } });
    const log = (params: Record<string, string>) =>
      ada.runs.logParams({ requestId: nextRequest(), runId: id, params });
    expect(await reasonOf(log({ late: "1" }))).toBe("RUN_ENDED");
    await log({ lr: "1e-1" });
  });

  it("takes parameters while it runs beside those of its job file, which keep their types", async () => {
    const id = await jobRun(false);
    await ada.runs.logParams({ requestId: nextRequest(), runId: id, params: { lr: "0.10", extra: "x" } });
    const run = await get(id);
    expect(run.params).toEqual({ lr: 0.1, "a.b": "$x", extra: "x" });
    expect(run.paramTexts).toEqual({ lr: "0.1", "a.b": "$x", extra: "x" });
  });

  it("is not deleted before it has ended", async () => {
    const id = await jobRun(false);
    expect(await reasonOf(ada.runs.deleteRun({ requestId: nextRequest(), runId: id }))).toBe("RUN_NOT_ENDED");
  });
});

describe("a deleted run", () => {
  it("refuses every change, keeps the time of its deletion, and comes back as it was", async () => {
    const { id } = await aRun({ params: { a: "1" } });
    const requestId = nextRequest();
    const { run: deleted } = await ada.runs.deleteRun({ requestId, runId: id });
    expect(deleted).toMatchObject({ lifecycle: Lifecycle.DELETED, lifecycleChangedBy: "user:ada" });
    const again = await ada.runs.deleteRun({ requestId: nextRequest(), runId: id });
    expect(again.run?.lifecycleChangedAt).toEqual(deleted?.lifecycleChangedAt);
    const changes: [string, () => Promise<unknown>][] = [
      ["update", () => update(id, { name: "x" })],
      ["params", () => ada.runs.logParams({ requestId: nextRequest(), runId: id, params: { b: "1" } })],
      ["tags", () => ada.runs.setRunTags({ requestId: nextRequest(), runId: id, tags: { b: "1" } })],
      ["note", () => ada.runs.addNote({ requestId: nextRequest(), runId: id, text: "x" })],
      ["archive", () => ada.runs.archiveRun({ requestId: nextRequest(), runId: id })],
      ["points", () => log(id, 1)],
      ["heartbeat", () => ada.runs.heartbeatRun({ runId: id })],
    ];
    for (const [what, change] of changes)
      expect([what, await reasonOf(change())]).toEqual([what, "RUN_DELETED"]);
    await ada.runs.restoreRun({ requestId: nextRequest(), runId: id });
    const back = await get(id);
    expect(back).toMatchObject({
      lifecycle: Lifecycle.ACTIVE,
      lifecycleChangedBy: "",
      paramTexts: { a: "1" },
    });
    expect(back.lifecycleChangedAt).toBeUndefined();
    expect(await emitted(id)).toEqual([
      "run.created.v1",
      "run.lifecycle_changed.v1",
      "run.lifecycle_changed.v1",
    ]);
  });
});

describe("notes and favourites", () => {
  it("are kept with author and time; only the author or an admin removes one", async () => {
    const { id } = await aRun();
    const add = (who: Caller, text: string) =>
      who.runs.addNote({ requestId: nextRequest(), runId: id, text });
    const { note } = await add(ada, "first");
    await add(bob, "second");
    const { notes } = await viewer.runs.listNotes({ runId: id });
    expect(notes.map(({ text, createdBy }) => [text, createdBy])).toEqual([
      ["second", "user:bob"],
      ["first", "user:ada"],
    ]);
    const at = notes[0]?.createdAt;
    expect(at && Math.abs(timestampDate(at).getTime() - Date.now())).toBeLessThan(60_000);
    const remove = (who: Caller, noteId: string) =>
      who.runs.deleteNote({ requestId: nextRequest(), runId: id, noteId });
    const noteId = note?.id ?? "";
    expect(await reasonOf(remove(bob, noteId))).toBe("NOTE_OF_ANOTHER");
    await remove(await asUser(service, "root", { roles: ["admin"] }), noteId);
    expect(await reasonOf(remove(ada, noteId))).toBe("NOTE_NOT_FOUND");
  });

  it("are about a step and a metric where that is said, and listed so for charts", async () => {
    const { id } = await aRun();
    const add = (about: { step?: bigint; key?: string }) =>
      ada.runs.addNote({ requestId: nextRequest(), runId: id, text: "x", ...about });
    await add({});
    await add({ step: 0n });
    const { note } = await add({ step: -7n, key: "loss" });
    expect(note).toMatchObject({ step: -7n, key: "loss" });
    const placesOf = async (ofSteps: boolean) =>
      (await viewer.runs.listNotes({ runId: id, ofSteps })).notes.map(({ step, key }) => [step, key]);
    const ofSteps = [
      [-7n, "loss"],
      [0n, ""],
    ];
    expect(await placesOf(true)).toEqual(ofSteps);
    expect(await placesOf(false)).toEqual([...ofSteps, [undefined, ""]]);
    expect(await reasonOf(add({ key: "loss" }))).toBe("INVALID_FIELD");
    expect(await reasonOf(add({ step: 2n ** 53n }))).toBe("INVALID_FIELD");
    expect(await reasonOf(add({ step: 1n, key: "k".repeat(251) }))).toBe("METRIC_KEY_INVALID");
  });

  it("are each person's own", async () => {
    const { id } = await aRun();
    await viewer.runs.setFavourite({ requestId: nextRequest(), runId: id, favourite: true });
    expect((await viewer.tracking.getRun({ runId: id })).run?.favourite).toBe(true);
    expect((await get(id)).favourite).toBe(false);
    await viewer.runs.setFavourite({ requestId: nextRequest(), runId: id, favourite: false });
    expect((await viewer.tracking.getRun({ runId: id })).run?.favourite).toBe(false);
  });
});

describe("an experiment", () => {
  it("is found by id and name, renamed, described and tagged", async () => {
    const name = `exp ${newId("req")}`;
    const { experimentId: id } = await aRun({ experiment: name });
    const change = { requestId: nextRequest(), experiment: name, name: `${name}!`, description: "what for" };
    await ada.experiments.updateExperiment(change);
    await ada.experiments.setExperimentTags({
      requestId: nextRequest(),
      experiment: id,
      tags: { a: "1", b: "2" },
    });
    await ada.experiments.deleteExperimentTags({ requestId: nextRequest(), experiment: id, keys: ["b"] });
    const { experiment } = await viewer.experiments.getExperiment({ experiment: `${name}!` });
    expect(experiment).toMatchObject({ id, description: "what for", tags: { a: "1" }, version: 4n });
    expect(await reasonOf(viewer.experiments.getExperiment({ experiment: name }))).toBe(
      "EXPERIMENT_NOT_FOUND",
    );
    expect((await ada.tracking.listRuns({ experiment: `${name}!` })).runs).toHaveLength(1);
  });

  it("does not take a name that another has, or an id's form", async () => {
    const { experimentId: id } = await aRun({ experiment: "one of two" });
    const { experimentId } = await aRun({ experiment: "the other" });
    const rename = (name: string) =>
      ada.experiments.updateExperiment({ requestId: nextRequest(), experiment: experimentId, name });
    const error = await errorOf(rename("one of two"));
    expect(error).toMatchObject({ reason: "EXPERIMENT_EXISTS", metadata: { experiment_id: id } });
    expect(await reasonOf(rename(id))).toBe("NAME_INVALID");
    expect(await reasonOf(rename("line\nbreak"))).toBe("NAME_INVALID");
  });

  it("takes its runs along when it is deleted, and gives back those that were not deleted themselves", async () => {
    const experiment = "to be deleted";
    const [kept, gone] = [await aRun({ experiment }), await aRun({ experiment })];
    await log(kept.id, 1);
    await ada.runs.deleteRun({ requestId: nextRequest(), runId: gone.id });
    await ada.experiments.deleteExperiment({ requestId: nextRequest(), experiment });
    expect((await get(kept.id)).lifecycle).toBe(Lifecycle.DELETED);
    expect(await reasonOf(update(kept.id, { name: "x" }))).toBe("RUN_DELETED");
    expect(await reasonOf(log(kept.id, 2))).toBe("RUN_DELETED");
    expect(await reasonOf(ada.runs.heartbeatRun({ runId: kept.id }))).toBe("RUN_DELETED");
    expect(await reasonOf(aRun({ experiment }))).toBe("EXPERIMENT_DELETED");
    expect(await reasonOf(ada.runs.restoreRun({ requestId: nextRequest(), runId: gone.id }))).toBe(
      "EXPERIMENT_DELETED",
    );
    await ada.experiments.restoreExperiment({ requestId: nextRequest(), experiment });
    expect([(await get(kept.id)).lifecycle, (await get(gone.id)).lifecycle]).toEqual([
      Lifecycle.ACTIVE,
      Lifecycle.DELETED,
    ]);
    await log(kept.id, 3);
    const { series } = await ada.metrics.getSeries({ runIds: [kept.id], keys: ["loss"] });
    expect(series[0]?.points?.values).toEqual([1, 3]);
  });
});

describe("who may", () => {
  it.each<[string, () => Promise<unknown>]>([
    ["create", () => viewer.runs.createRun({ requestId: nextRequest(), experiment: "x" })],
    ["tag", () => viewer.runs.setRunTags({ requestId: nextRequest(), runId: "run_x", tags: {} })],
    [
      "delete",
      () => viewer.experiments.deleteExperiment({ requestId: nextRequest(), experiment: "outside" }),
    ],
  ])("a viewer may not %s", async (_what, call) => {
    expect(await reasonOf(call())).toBe("ROLE_MISSING");
  });

  it("of another project finds neither run nor experiment", async () => {
    const { id, experimentId } = await aRun();
    expect(
      await reasonOf(stranger.runs.setRunTags({ requestId: nextRequest(), runId: id, tags: { a: "1" } })),
    ).toBe("RUN_NOT_FOUND");
    expect(await reasonOf(stranger.experiments.getExperiment({ experiment: experimentId }))).toBe(
      "EXPERIMENT_NOT_FOUND",
    );
    expect(
      await reasonOf(stranger.runs.createRun({ requestId: nextRequest(), experiment: experimentId })),
    ).toBe("EXPERIMENT_NOT_FOUND");
    expect(
      await reasonOf(stranger.runs.createRun({ requestId: nextRequest(), experiment: "x", parentRunId: id })),
    ).toBe("PARENT_RUN_NOT_FOUND");
  });
});
