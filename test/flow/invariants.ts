import { readFileSync } from "node:fs";
import { DeliverPolicy } from "@nats-io/jetstream";
import { connectBus } from "@trainyard/bus";
import {
  type CloudEvent,
  evaluation,
  eventStreamName,
  peekCloudEvent,
  registry,
  scheduler,
  tracking,
} from "@trainyard/contracts";
import { testLogger, waitFor } from "@trainyard/testing";
import type { Fleet } from "./fleet.ts";
import type { Flow } from "./flow.ts";

/** Every event of a service, read from its stream, each id once. */
async function eventsOf(fleet: Fleet, service: string): Promise<readonly CloudEvent[]> {
  const seed = readFileSync(fleet.platform.seedFile("admin"), "utf8");
  const bus = await connectBus({
    servers: fleet.platform.natsUrl,
    name: "admin",
    seed,
    logger: testLogger("check"),
  });
  try {
    const stream = eventStreamName(service);
    const { state } = await bus.jsm.streams.info(stream);
    const found = new Map<string, CloudEvent>();
    if (state.messages === 0) return [];
    const consumer = await bus.js.consumers.get(stream, { deliver_policy: DeliverPolicy.All });
    for await (const message of await consumer.consume()) {
      const event = peekCloudEvent(message.data);
      found.set(event.id, event);
      if (message.seq >= state.last_seq) break;
    }
    return [...found.values()];
  } finally {
    await bus.close();
  }
}

/** One broken promise, in words. */
export type Broken = string;

/**
 * Checks what must hold at the end of a flow, whatever was killed: one final state, told once; every point once; one
 * evaluation; one champion, told once. Returns what does not hold.
 */
export async function brokenPromises(fleet: Fleet, flow: Flow): Promise<readonly Broken[]> {
  const broken: Broken[] = [];
  const expect = (holds: boolean, words: string) => {
    if (!holds) broken.push(words);
  };
  const { jobId = "", runId = "" } = flow.progress;

  const { job } = await flow.user.scheduler.getJob({ jobId });
  expect(
    job?.state === scheduler.JobState.SUCCEEDED,
    `the job is ${job?.state} and not succeeded: ${job?.failure?.message}`,
  );
  const { run } = await flow.user.tracking.getRun({ runId });
  expect(run?.status === tracking.RunStatus.COMPLETED, `the run is ${run?.status} and not completed`);

  // Events are published after the commit that a client sees, so the last may be a moment away.
  const ended = await waitFor("the events of the end", async () => {
    const all = [
      ...(await eventsOf(fleet, "scheduler")),
      ...(await eventsOf(fleet, "tracking")),
      ...(await eventsOf(fleet, "registry")),
    ];
    const of = (type: string, id: string) =>
      all.filter((event) => event.type === type && JSON.stringify(event.data).includes(id));
    const promoted = of("trainyard.registry.model_version.stage_changed.v1", runId).filter((event) =>
      JSON.stringify(event.data).includes('"to":"STAGE_CHAMPION"'),
    );
    const counts = {
      jobEnded: of("trainyard.scheduler.job.ended.v1", jobId).length,
      runEnded: of("trainyard.tracking.run.ended.v1", runId).length,
      promoted: promoted.length,
    };
    return counts.jobEnded > 0 && counts.runEnded > 0 && counts.promoted > 0 ? counts : undefined;
  });
  expect(ended.jobEnded === 1, `job.ended was told ${ended.jobEnded} times`);
  expect(ended.runEnded === 1, `run.ended was told ${ended.runEnded} times`);
  expect(ended.promoted === 1, `the promotion was told ${ended.promoted} times`);

  const { points } = await flow.user.tracking.getMetricHistory({ runId, keys: ["loss"], rank: 0 });
  const steps = points.map(({ step }) => Number(step));
  const distinct = new Set(steps);
  expect(distinct.size === steps.length, `${steps.length - distinct.size} points are doubled`);
  const last = Math.max(...steps);
  expect(
    distinct.size === last && Math.min(...steps) === 1,
    `${distinct.size} points of loss for the steps 1 to ${last}`,
  );

  const { modelVersions } = await flow.user.registry.listModelVersions({ model: "digits" });
  const ofRun = modelVersions.filter((version) => version.runId === runId);
  expect(ofRun.length === 1, `${ofRun.length} model versions of the run`);
  const champions = modelVersions.filter(({ stage }) => stage === registry.Stage.CHAMPION);
  expect(champions.length === 1, `${champions.length} champions`);
  expect(champions[0]?.runId === runId, "the champion is another run's");

  const { evaluations } = await flow.user.evaluation.listEvaluations({ modelVersionId: ofRun[0]?.id ?? "" });
  expect(evaluations.length === 1, `${evaluations.length} evaluations of the version`);
  expect(
    evaluations[0]?.state === evaluation.EvaluationState.PASSED,
    `the evaluation is ${evaluations[0]?.state}: ${evaluations[0]?.message}`,
  );
  const { jobs } = await flow.user.scheduler.listJobs({ kind: scheduler.JobKind.EVALUATION });
  expect(jobs.length === 1, `${jobs.length} evaluation jobs`);
  return broken;
}
