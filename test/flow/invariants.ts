import { readFileSync } from "node:fs";
import { type Bus, connectBus } from "@trainyard/bus";
import { type CloudEvent, evaluation, registry, scheduler, tracking } from "@trainyard/contracts";
import { serviceNames } from "@trainyard/local";
import { testLogger } from "@trainyard/testing";
import { insist } from "./clients.ts";
import { eventsOf, faultsOf } from "./event-log.ts";
import type { Fleet } from "./fleet.ts";
import type { Flow } from "./flow.ts";
import { deadLetters, livingRanks, spoiltFiles, stillLeft, unpublished } from "./leftovers.ts";

/** One broken promise, in words. */
export type Broken = string;

const jobEnded = "trainyard.scheduler.job.ended.v1";
const runEnded = "trainyard.tracking.run.ended.v1";
/** Told once of each job, run and evaluation: of the evaluation's own job too. */
const endings = [jobEnded, runEnded, "trainyard.evaluation.evaluation.ended.v1"];

/**
 * Checks what must hold at the end of a flow, whatever was killed: one final state, told once; every point once; one
 * evaluation; one champion, told once, its files whole; no process, event or dead letter left over. Returns what does
 * not hold.
 */
export async function brokenPromises(fleet: Fleet, flow: Flow): Promise<readonly Broken[]> {
  const bus = await connectBus({
    servers: fleet.platform.natsUrl,
    name: "admin",
    seed: readFileSync(fleet.platform.seedFile("admin"), "utf8"),
    logger: testLogger("check"),
  });
  try {
    // In this order: what is still in an outbox belongs into a stream.
    return [
      ...(await leftBehind(fleet, bus)),
      ...(await wrongEvents(bus, flow)),
      ...(await wrongRun(flow)),
      ...(await wrongModel(fleet, flow)),
    ];
  } finally {
    await bus.close();
  }
}

/** Collects the words of what does not hold. */
function collector(): { broken: Broken[]; expect(holds: boolean, words: string): void } {
  const broken: Broken[] = [];
  return { broken, expect: (holds, words) => void (holds || broken.push(words)) };
}

async function leftBehind(fleet: Fleet, bus: Bus): Promise<readonly Broken[]> {
  const waiting = await stillLeft("outboxes", () => unpublished(fleet));
  const alive = await stillLeft("ranks", async () => livingRanks(fleet));
  return [
    ...waiting.map((event) => `never published: ${event}`),
    ...alive.map((line) => `still alive: ${line}`),
    ...(await deadLetters(bus)).map((letter) => `a dead letter: ${letter}`),
  ];
}

async function wrongEvents(bus: Bus, { progress }: Flow): Promise<readonly Broken[]> {
  const { broken, expect } = collector();
  const all: CloudEvent[] = [];
  for (const service of serviceNames) {
    const events = await eventsOf(bus, service);
    broken.push(...faultsOf(service, events));
    all.push(...events);
  }
  for (const type of endings) {
    const subjects = all.filter((event) => event.type === type).map(({ subject }) => subject);
    const twice = subjects.filter((subject, at) => subjects.indexOf(subject) !== at);
    expect(twice.length === 0, `${type} was told twice of ${twice.join(", ")}`);
  }
  const told = (type: string, about: string, detail = "") =>
    all.filter(({ type: found, data }) => {
      const text = JSON.stringify(data);
      return found === type && text.includes(about) && text.includes(detail);
    }).length;
  const { jobId = "", runId = "" } = progress;
  const ends = [told(jobEnded, jobId), told(runEnded, runId)];
  expect(
    ends.every((times) => times === 1),
    `job.ended and run.ended were told ${ends.join(" and ")} times`,
  );
  const promoted = told("trainyard.registry.model_version.stage_changed.v1", runId, '"to":"STAGE_CHAMPION"');
  expect(promoted === 1, `the promotion was told ${promoted} times`);
  return broken;
}

async function wrongRun({ user, progress }: Flow): Promise<readonly Broken[]> {
  const { broken, expect } = collector();
  const { jobId = "", runId = "" } = progress;
  const { job } = await insist("the check", () => user.scheduler.getJob({ jobId }));
  const succeeded = job?.state === scheduler.JobState.SUCCEEDED;
  expect(succeeded, `the job is ${job?.state} and not succeeded: ${job?.failure?.message}`);
  const { run } = await insist("the check", () => user.tracking.getRun({ runId }));
  expect(run?.status === tracking.RunStatus.COMPLETED, `the run is ${run?.status} and not completed`);

  const { points } = await insist("the check", () =>
    user.tracking.getMetricHistory({ runId, keys: ["loss", "test_accuracy"], rank: 0 }),
  );
  const stepsOf = (wanted: string) =>
    points.filter(({ key }) => key === wanted).map(({ step }) => Number(step));
  // A loss at every step; the last step is where the script measures the finished model, once.
  const [steps, ends] = [stepsOf("loss"), stepsOf("test_accuracy")];
  const distinct = new Set(steps);
  expect(ends.length === 1, `${ends.length} points of the finished model`);
  expect(distinct.size === steps.length, `${steps.length - distinct.size} points are doubled`);
  const whole = distinct.size === ends[0] && Math.min(...steps) === 1 && Math.max(...steps) === ends[0];
  expect(whole, `${distinct.size} points of loss for the steps 1 to ${ends[0]}`);
  return broken;
}

async function wrongModel(fleet: Fleet, { user, progress }: Flow): Promise<readonly Broken[]> {
  const { broken, expect } = collector();
  const { modelVersions } = await insist("the check", () =>
    user.registry.listModelVersions({ model: "digits" }),
  );
  const ofRun = modelVersions.filter((version) => version.runId === progress.runId);
  expect(ofRun.length === 1, `${ofRun.length} model versions of the run`);
  const champions = modelVersions.filter(({ stage }) => stage === registry.Stage.CHAMPION);
  expect(champions.length === 1, `${champions.length} champions`);
  expect(champions[0]?.runId === progress.runId, "the champion is another run's");
  for (const champion of champions) {
    broken.push(...(await spoiltFiles(fleet, champion)).map((file) => `of the champion's files: ${file}`));
  }

  const { evaluations } = await insist("the check", () =>
    user.evaluation.listEvaluations({ modelVersionId: ofRun[0]?.id ?? "" }),
  );
  expect(evaluations.length === 1, `${evaluations.length} evaluations of the version`);
  const [first] = evaluations;
  const passed = first?.state === evaluation.EvaluationState.PASSED;
  expect(passed, `the evaluation is ${first?.state}: ${first?.message}`);
  const { jobs } = await insist("the check", () =>
    user.scheduler.listJobs({ kind: scheduler.JobKind.EVALUATION }),
  );
  expect(jobs.length === 1, `${jobs.length} evaluation jobs`);
  return broken;
}
