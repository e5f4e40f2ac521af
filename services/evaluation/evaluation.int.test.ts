import { readdirSync } from "node:fs";
import { evaluation, peekCloudEvent, scheduler, tracking } from "@trainyard/contracts";
import { isDomainError, newId } from "@trainyard/domain";
import { type App, fromConnectError } from "@trainyard/service";
import { type ServiceProcess, spawnService, tempDir, testSpans, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { startAwayScheduler } from "./test-support/peers.ts";
import { createWorld, suiteYaml, traceparent, type World } from "./test-support/world.ts";

const { PASSED, FAILED, ERRORED, PENDING } = evaluation.EvaluationState;
const lenient = ['{ metric: accuracy, op: ">=", value: 0.5 }'];

let world: World;
let schedulerApp: App;
let evaluationApp: App;

beforeAll(async () => {
  world = await createWorld();
  schedulerApp = await world.startScheduler();
  evaluationApp = await world.startEvaluation();
  await world.apply("lenient", lenient);
});

async function reasonOf(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    () => undefined,
    (caught: unknown) => fromConnectError(caught),
  );
  return isDomainError(error) ? `${error.reason} ${error.message}` : "none";
}

const reportOf = (more: object = {}) =>
  JSON.stringify({
    schema: 1,
    rows: 270,
    metrics: { accuracy: 0.912, latency_p95_ms: 3 },
    perClass: [
      { label: 0, precision: 1, recall: 0.95, f1: 0.97, support: 30 },
      { label: 1, precision: 1, recall: 0.7, f1: 0.82, support: 30 },
    ],
    ...more,
  });

async function jobsOf(evaluationId: string): Promise<readonly scheduler.Job[]> {
  const { jobs } = await world.jobs.listJobs({ page: { pageSize: 500 }, kind: scheduler.JobKind.EVALUATION });
  return jobs.filter(({ spec }) => spec?.labels.evaluation === evaluationId);
}

/**
 * The ends of these evaluations as told, up to the moment when each of them has been told. Of one event's publications
 * the stream keeps the first, so they count as one; what is told late of other evaluations does not count.
 */
async function endsTold(
  subscription: AsyncIterable<{ readonly data: Uint8Array }>,
  ...awaited: readonly string[]
): Promise<string[]> {
  const told = new Map<string, string>();
  for await (const { data } of subscription) {
    const { id, subject } = peekCloudEvent(data);
    if (awaited.includes(subject)) told.set(id, subject);
    if (new Set(told.values()).size === awaited.length) break;
  }
  return [...told.values()].sort();
}

describe("a suite", () => {
  it("is revised when its content changes, and only then", async () => {
    const apply = (suiteYamlText: string, requestId = newId("req")) =>
      world.api.applySuite({ requestId, suiteYaml: suiteYamlText });
    const first = await apply(suiteYaml("revised", lenient));
    expect(first).toMatchObject({
      changed: true,
      suite: { revision: 1, datasetVersion: "latest", createdBy: "user:ada" },
    });
    const same = await apply(`# a comment\n${suiteYaml("revised", lenient)}`);
    expect(same).toMatchObject({ changed: false, suite: { id: first.suite?.id, revision: 1 } });
    const requestId = newId("req");
    const stricter = suiteYaml("revised", ['{ metric: accuracy, op: ">", value: 0.9 }']);
    const second = await apply(stricter, requestId);
    expect(second).toMatchObject({ changed: true, suite: { revision: 2 } });
    expect(await apply(stricter, requestId)).toEqual(second);
    expect((await world.api.getSuite({ name: "revised" })).suite).toEqual(second.suite);
    const { suites } = await world.api.listSuites({});
    expect(suites.filter(({ name }) => name === "revised")).toEqual([second.suite]);
  });

  it("is refused with the place of each mistake, for a dataset that is not there, and by a viewer", async () => {
    const apply = (text: string) => world.api.applySuite({ requestId: newId("req"), suiteYaml: text });
    expect(await reasonOf(apply(suiteYaml("bad", ["{ metric: accuracy, op: '=>', value: 1 }"])))).toMatch(
      /^SUITE_INVALID suite\.yaml:7:\d+: gates\.0\.op/,
    );
    expect(await reasonOf(apply(suiteYaml("bad", lenient, "missing")))).toMatch(/^DATASET_NOT_FOUND /);
    expect(
      await reasonOf(apply(suiteYaml("bad", lenient).replace("target: label", "target: lable"))),
    ).toMatch(/^SUITE_INVALID .*has no column lable/);
    const viewer = await world.as("viewer");
    expect(await reasonOf(viewer.applySuite({ requestId: newId("req"), suiteYaml: "" }))).toMatch(
      /^ROLE_MISSING/,
    );
    expect(await reasonOf(viewer.getSuite({ name: "nope" }))).toMatch(/^SUITE_NOT_FOUND/);
  });
});

describe("an evaluation", () => {
  it("begins by itself, runs as one job in the version's trace, passes, and is recorded on the version", async () => {
    const evaluated = await world.running((await world.trained("passing", "lenient")).id);
    const [job, ...others] = await jobsOf(evaluated.id);
    expect(others).toEqual([]);
    expect(job).toMatchObject({
      id: evaluated.jobId,
      runId: evaluated.runId,
      project: "default",
      createdBy: "service:evaluation",
      spec: {
        name: "evaluate-passing-1.0.0",
        entrypoint: ["-m", "trainyard.evaluate"],
        ranks: 1,
        inputs: [{ path: "inputs/model/model.pt2" }],
        dataset: { name: "digits", version: "1.2.3" },
        params: { modelDir: "../inputs/model", split: "test", target: "label" },
      },
    });
    expect(job?.traceparent.split("-")[1]).toBe(traceparent.split("-")[1]);
    await world.measured(evaluated, {}, await world.put(reportOf()));
    const ended = await world.ended(evaluated.id);
    expect(ended).toMatchObject({
      state: PASSED,
      suite: "lenient",
      suiteRevision: 1,
      modelVersion: "1.0.0",
      version: 4n,
      report: {
        rows: 270n,
        datasetVersion: "1.2.3",
        metrics: { accuracy: 0.912 },
        gates: [{ passed: true, message: "accuracy 0.912 is at least 0.500" }],
      },
    });
    expect(ended.report?.classes).toHaveLength(2);
    const span = await waitFor("the span", () =>
      testSpans().find(
        ({ name, attributes }) => name === "evaluation" && JSON.stringify(attributes).includes(ended.id),
      ),
    );
    expect(span).toMatchObject({
      traceId: traceparent.split("-")[1],
      attributes: {
        "trainyard.model": "passing",
        "trainyard.state": "passed",
        "trainyard.suite": "lenient@1",
      },
    });
    const gate = await waitFor("the version's gate", async () => {
      const { modelVersion } = await world.models.getModelVersion({ version: evaluated.modelVersionId });
      return modelVersion?.gate;
    });
    expect(gate).toMatchObject({ passed: true, evaluationId: evaluated.id, suite: "lenient@1" });
  });

  it("is one per model version, however often the version is told", async () => {
    const id = newId("mv");
    const version = { id, model: "told-often", version: "1.0.0", suite: "lenient" };
    await Promise.all([world.registered(version), world.registered(version), world.registered(version)]);
    const other = newId("mv");
    await world.registered(version);
    await world.registered({ ...version, id: other });
    const evaluations = await waitFor("both versions' evaluations", async () => {
      const found = (await world.api.listEvaluations({ model: "told-often" })).evaluations;
      return found.some(({ modelVersionId }) => modelVersionId === other) ? found : undefined;
    });
    const [first, ...more] = evaluations.filter(({ modelVersionId }) => modelVersionId === id);
    expect(more).toEqual([]);
    await world.running(first?.id ?? "");
    expect(await jobsOf(first?.id ?? "")).toHaveLength(1);
  });

  it("fails by its gates, each with a sentence: too low, missing, of one class", async () => {
    await world.apply("strict", [
      '{ metric: accuracy, op: ">=", value: 0.93 }',
      '{ metric: auc, op: ">=", value: 0.9 }',
      '{ metric: recall, perClass: true, op: ">=", value: 0.8 }',
      '{ metric: latency_p95_ms, op: "<", value: 50 }',
    ]);
    const evaluated = await world.running((await world.trained("failing", "strict")).id);
    await world.measured(evaluated, {}, await world.put(reportOf()));
    const ended = await world.ended(evaluated.id);
    expect(ended.state).toBe(FAILED);
    expect(ended.report?.gates.map(({ message }) => message)).toEqual([
      "accuracy 0.912 is below 0.930",
      "auc is missing from the report; it has accuracy, latency_p95_ms",
      "recall of class 1 0.700 is below 0.800",
      "latency_p95_ms 3.000 is below 50.000",
    ]);
    expect(ended.report?.gates[1]?.measured).toBeNaN();
  });

  it("errors, and says so, when its run fails, is cancelled, or keeps no report", async () => {
    const cases = [
      {
        run: {
          status: tracking.RunStatus.FAILED,
          failure: {
            message: "Rank 0 exited with code 1.",
            tracebackTail: "Traceback\nValueError: bad model\n",
          },
        },
        message: /failed: Rank 0 exited with code 1\. \(ValueError: bad model\)$/,
      },
      { run: { status: tracking.RunStatus.KILLED }, message: /was cancelled/ },
      { run: {}, message: /kept no artifact evaluation\.json/ },
    ];
    for (const [index, { run, message }] of cases.entries()) {
      const evaluated = await world.running((await world.trained(`erring-${index}`, "lenient")).id);
      await world.measured(evaluated, run);
      const ended = await world.ended(evaluated.id);
      expect(ended.state).toBe(ERRORED);
      expect(ended.message).toMatch(message);
    }
  });

  it("errors on a report that is no JSON, too large or gone, and the service lives on", async () => {
    const poison: readonly (readonly [string, RegExp])[] = [
      [await world.put("{ no JSON"), /not valid JSON/],
      [await world.put(reportOf({ rows: "many" })), /not a report: rows/],
      [await world.put(new Uint8Array(4 * 1024 * 1024 + 1)), /has 4194305 bytes; at most 4194304/],
      ["ab".repeat(32), /is not in the blob store/],
      ["../../etc/passwd", /DIGEST_INVALID/],
    ];
    for (const [index, [digest, message]] of poison.entries()) {
      const evaluated = await world.running((await world.trained(`poison-${index}`, "lenient")).id);
      await world.measured(evaluated, {}, digest);
      const ended = await world.ended(evaluated.id);
      expect(ended.state).toBe(ERRORED);
      expect(ended.message).toMatch(message);
    }
  });

  it("errors at once when nothing could make it run: no such suite, a deprecated dataset", async () => {
    const noSuite = await world.trained("suiteless", "nowhere");
    expect(noSuite).toMatchObject({ state: ERRORED, suiteRevision: 0 });
    expect(noSuite.message).toMatch(/no evaluation suite nowhere.*apply its file/);
    const gate = await waitFor("the version's gate", async () => {
      const { modelVersion } = await world.models.getModelVersion({ version: noSuite.modelVersionId });
      return modelVersion?.gate;
    });
    expect(gate).toMatchObject({ passed: false, messages: [noSuite.message] });
    await world.apply("outdated", lenient, "deprecated");
    const ended = await world.ended((await world.trained("outdated", "outdated")).id);
    expect(ended).toMatchObject({
      state: ERRORED,
      message: "deprecated 1.2.3 is deprecated. (DATASET_DEPRECATED)",
    });
  });

  it("is started by a person, any number of times, once per request", async () => {
    await world.running((await world.trained("by-hand", "lenient")).id);
    const request = { requestId: newId("req"), model: "by-hand", modelVersion: "1.0.0" };
    const first = await world.api.startEvaluation(request);
    expect(first.evaluation).toMatchObject({ state: PENDING, suite: "lenient", createdBy: "user:ada" });
    expect(await world.api.startEvaluation(request)).toEqual(first);
    const second = await world.api.startEvaluation({ ...request, requestId: newId("req") });
    expect(second.evaluation?.id).not.toBe(first.evaluation?.id);
    await world.running(second.evaluation?.id ?? "");
    const { evaluations, page } = await world.api.listEvaluations({
      model: "by-hand",
      page: { pageSize: 2 },
    });
    const rest = await world.api.listEvaluations({
      model: "by-hand",
      page: { pageSize: 2, pageToken: page?.nextPageToken ?? "" },
    });
    expect([...evaluations, ...rest.evaluations]).toHaveLength(3);
    const start = (more: object) =>
      world.api.startEvaluation({ ...request, requestId: newId("req"), ...more });
    expect(await reasonOf(start({ suite: "nope" }))).toMatch(/^SUITE_NOT_FOUND/);
    expect(await reasonOf(start({ modelVersion: "9.9.9" }))).toMatch(/^MODEL_VERSION_NOT_FOUND/);
    await world.models.registerModelVersion({
      requestId: newId("req"),
      model: "by-uri",
      artifactUri: "s3://b/m",
    });
    expect(await reasonOf(start({ model: "by-uri" }))).toMatch(/^SUITE_MISSING/);
    const byUri = await start({ model: "by-uri", suite: "lenient" });
    expect((await world.ended(byUri.evaluation?.id ?? "")).message).toMatch(/MODEL_HAS_NO_FILES/);
    const exported: string[] = [];
    for await (const { evaluation: each } of (await world.as("admin")).exportEvaluations({}))
      exported.push(each?.id ?? "");
    expect(exported).toEqual([...exported].sort());
    expect(exported).toContain(byUri.evaluation?.id);
    expect(await reasonOf(world.api.getEvaluation({ evaluationId: "eval_1" }))).toMatch(
      /^EVALUATION_NOT_FOUND/,
    );
  });

  it("waits for a scheduler that is away, and then has one job", async () => {
    await schedulerApp.stop();
    const away = await startAwayScheduler(world.platform);
    const waiting = await world.trained("patient", "lenient");
    await waitFor("a few tries", async () => away.asked() >= 3);
    expect((await world.api.getEvaluation({ evaluationId: waiting.id })).evaluation?.state).toBe(PENDING);
    await away.stop();
    schedulerApp = await world.startScheduler();
    await world.running(waiting.id);
    expect(await jobsOf(waiting.id)).toHaveLength(1);
  });

  it("ends when its run's end is told before the submission's answer, and tells it once however often it is told", async () => {
    await schedulerApp.stop();
    const away = await startAwayScheduler(world.platform);
    const subscription = world.gateway.nc.subscribe("trainyard.default.evaluation.evaluation.ended.v1.*");
    await world.gateway.nc.flush();
    const early = await world.trained("early", "lenient");
    const report = await world.put(reportOf());
    const run = { id: newId("run"), jobId: newId("job") };
    await Promise.all([1, 2, 3].map(() => world.measured(early, run, report)));
    expect(await world.ended(early.id)).toMatchObject({ state: PASSED, jobId: run.jobId, runId: run.id });
    await world.measured(early, { ...run, status: tracking.RunStatus.FAILED });
    const later = await world.trained("later", "nowhere");
    expect(await endsTold(subscription, early.id, later.id)).toEqual([early.id, later.id].sort());
    await away.stop();
    schedulerApp = await world.startScheduler();
  });

  it("has one job and one verdict with several replicas", async () => {
    const replica = await world.startEvaluation({ TRAINYARD_LISTEN_PORT: "0" });
    const subscription = world.gateway.nc.subscribe("trainyard.default.evaluation.evaluation.ended.v1.*");
    await world.gateway.nc.flush();
    const report = await world.put(reportOf());
    const ids = await Promise.all(
      [1, 2, 3, 4, 5].map(async (index) => {
        const evaluated = await world.running((await world.trained(`shared-${index}`, "lenient")).id);
        await world.measured(evaluated, {}, report);
        return (await world.ended(evaluated.id)).id;
      }),
    );
    for (const id of ids) expect(await jobsOf(id)).toHaveLength(1);
    const later = await world.trained("shared-later", "nowhere");
    expect(await endsTold(subscription, ...ids, later.id)).toEqual([...ids, later.id].sort());
    await replica.stop();
  });

  // An evaluation for each edge: of one commit the next step may know before the handler that made it has gone on, and a
  // process that dies there first never comes to the handler's edge.
  it.each([
    "evaluation-models.event.committed",
    "evaluation.submit.submitted",
    "evaluation-runs.event.committed",
    "evaluation.end.committed",
  ])("comes to one job and one verdict when the service dies at %s", async (point) => {
    await evaluationApp.stop();
    const subscription = world.gateway.nc.subscribe("trainyard.default.evaluation.evaluation.ended.v1.*");
    await world.gateway.nc.flush();
    const mark = tempDir("crash-once");
    const kept = keepAlive({ TRAINYARD_CRASH_AT: point, TRAINYARD_CRASH_ONCE_DIR: mark });
    const name = point.replaceAll(".", "-");
    const evaluated = await world.running((await world.trained(name, "lenient")).id);
    await world.measured(evaluated, {}, await world.put(reportOf()));
    // What a dead process had taken comes again after some seconds.
    const verdict = async () => {
      const { evaluation: found } = await world.api.getEvaluation({ evaluationId: evaluated.id });
      if (readdirSync(mark).length === 1 && found?.state === PASSED) return found;
      throw new Error(`it is ${found?.state}, died at "${readdirSync(mark)}"\n${kept.output()}`);
    };
    expect((await waitFor("the verdict after the crash", verdict, { timeoutMs: 60_000 })).version).toBe(4n);
    expect(await jobsOf(evaluated.id)).toHaveLength(1);
    const later = await world.trained(`${name}-later`, "nowhere");
    expect(await endsTold(subscription, evaluated.id, later.id)).toEqual([evaluated.id, later.id].sort());
    await kept.stop();
  });
});

/** The service as a process that is started again whenever it dies. */
function keepAlive(env: Readonly<Record<string, string>>) {
  const lives: string[] = [];
  let stopped = false;
  let service: ServiceProcess | undefined;
  const keeper = (async () => {
    while (!stopped) {
      service = await spawnService(world.platform, "evaluation", env).catch((error: Error) => {
        lives.push(error.message);
        return undefined;
      });
      if (stopped) await service?.kill("SIGTERM");
      await service?.exited;
      if (service !== undefined) lives.push(service.output());
    }
  })();
  return {
    output: () => [...lives, service?.output() ?? ""].join("\n--\n"),
    stop: async () => {
      stopped = true;
      await service?.kill("SIGTERM");
      await keeper;
    },
  };
}
