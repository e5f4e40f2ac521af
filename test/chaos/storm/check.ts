import { readFileSync } from "node:fs";
import { type Bus, connectBus } from "@trainyard/bus";
import { scheduler, tracking } from "@trainyard/contracts";
import { serviceNames } from "@trainyard/local";
import { testLogger, waitFor } from "@trainyard/testing";
import { type FlowClients, insist } from "../../flow/clients.ts";
import { eventsOf, faultsOf } from "../../flow/event-log.ts";
import { deadLetters, livingRanks, stillLeft, unpublished } from "../../flow/leftovers.ts";
import { readyNodes, type Stage } from "../../flow/stage.ts";
import type { Submitted, Unbroken } from "./jobs.ts";
import { wrongPoints } from "./wrong-points.ts";

/** One broken promise, in words. */
export type Broken = string;

const jobEnded = "trainyard.scheduler.job.ended.v1";
const runEnded = "trainyard.tracking.run.ended.v1";

/** What does not hold after a storm, whose jobs have all ended. */
export async function brokenAfterStorm(
  stage: Stage,
  jobs: readonly Submitted[],
  unbroken: ReadonlyMap<string, Unbroken>,
): Promise<readonly Broken[]> {
  const { fleet, user, nodes } = stage;
  const bus = await connectBus({
    servers: fleet.platform.natsUrl,
    name: "admin",
    seed: readFileSync(fleet.platform.seedFile("admin"), "utf8"),
    logger: testLogger("check"),
  });
  try {
    const alive = await stillLeft("ranks", async () => livingRanks(fleet));
    const waiting = await stillLeft("outboxes", () => unpublished(fleet));
    const away = await stillLeft("nodes", async () =>
      (await readyNodes(stage)) === nodes.length ? [] : await unusableNodes(user),
    );
    const perJob: Broken[] = [];
    for (const job of jobs) {
      const wrong = await wrongJob(user, job, unbroken.get(job.kind.name));
      perJob.push(...wrong.map((words) => `${job.kind.name} ${job.jobId}: ${words}`));
    }
    return [
      ...alive.map((line) => `still alive: ${line}`),
      ...waiting.map((event) => `never published: ${event}`),
      ...away.map((node) => `not back: ${node}`),
      ...(await deadLetters(bus)).map((letter) => `a dead letter: ${letter}`),
      ...(await wrongEvents(bus, jobs)),
      ...perJob,
    ];
  } finally {
    await bus.close();
  }
}

async function unusableNodes(user: FlowClients): Promise<readonly string[]> {
  const { nodes } = await user.scheduler.listNodes({});
  return nodes.flatMap(({ id, state, unusable }) =>
    unusable === "" ? [] : [`${id} is ${scheduler.NodeState[state]}: ${unusable}`],
  );
}

async function wrongEvents(bus: Bus, jobs: readonly Submitted[]): Promise<readonly Broken[]> {
  const broken: Broken[] = [];
  const ends = new Map<string, number>();
  for (const service of serviceNames) {
    const events = await eventsOf(bus, service);
    broken.push(...faultsOf(service, events));
    for (const { type, subject } of events) {
      if (type === jobEnded || type === runEnded)
        ends.set(`${type} ${subject}`, (ends.get(`${type} ${subject}`) ?? 0) + 1);
    }
  }
  for (const { jobId, runId } of jobs) {
    for (const end of [`${jobEnded} ${jobId}`, `${runEnded} ${runId}`])
      if (ends.get(end) !== 1) broken.push(`${end} was told ${ends.get(end) ?? 0} times`);
  }
  return broken;
}

async function wrongJob(
  user: FlowClients,
  { jobId, runId, kind }: Submitted,
  unbroken: Unbroken | undefined,
): Promise<readonly Broken[]> {
  const { job } = await insist("the job", () => user.scheduler.getJob({ jobId }));
  if (job?.state !== scheduler.JobState.SUCCEEDED) {
    const state = job === undefined ? "gone" : scheduler.JobState[job.state];
    return [`it is ${state}: ${job?.failure?.message} ${job?.failure?.tracebackTail ?? ""}`];
  }
  const { run } = await insist("the run", () => user.tracking.getRun({ runId }));
  const broken: Broken[] = [];
  if (run?.status !== tracking.RunStatus.COMPLETED) broken.push(`its run is ${run?.status}`);
  const digest = await digestOf(user, runId, job.attempts.length).catch(() => "none");
  if (digest !== unbroken?.digest)
    broken.push(`it ended with ${digest}, an unbroken run with ${unbroken?.digest}`);
  return [...broken, ...wrongPoints(await historyOf(user, runId), kind.steps, unbroken)];
}

/** Every visible point of "value". */
export async function historyOf(user: FlowClients, runId: string): Promise<readonly tracking.MetricPoint[]> {
  const points: tracking.MetricPoint[] = [];
  for (let pageToken = ""; ; ) {
    const request = { runId, keys: ["value"], pageToken };
    const page = await insist("the points", () => user.tracking.getMetricHistory(request));
    points.push(...page.points);
    pageToken = page.nextPageToken;
    if (pageToken === "") return points;
  }
}

/** As rank 0 of the last attempt printed it. */
export function digestOf(user: FlowClients, runId: string, attempt: number): Promise<string> {
  return waitFor("the digest in the log", async () => {
    const lines: string[] = [];
    for await (const part of user.tracking.readLogs({ runId, rank: 0, attempt })) lines.push(...part.lines);
    return lines.map((line) => /digest ([0-9a-f]{64})/.exec(line)?.[1]).find((found) => found !== undefined);
  });
}
