import { hearFollowed } from "@trainyard/bus";
import { scheduler } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import { expect, it, onTestFinished } from "vitest";
import { followedRuns } from "./consumers/followed-runs.ts";
import { createRunSignals } from "./run-signals.ts";
import { aJob, ended, project, publishEvent, startTracking } from "./test-service.ts";

it("tells a run's agents at once that a user reads or tails it, and again while that goes on", async () => {
  const service = await startTracking();
  const [user, agent, leader] = await Promise.all([
    service.as("user"),
    service.as("agent"),
    service.as("scheduler"),
  ]);
  const job = aJob();
  const { runId } = job;
  await publishEvent(service.bus, scheduler.JobSubmittedSchema, job, { job });
  await leader.openAttempt({ runId, jobId: job.id, attempt: 1, project });
  const heard: string[] = [];
  onTestFinished(hearFollowed(service.bus, runId, (id) => heard.push(id)));
  await service.bus.nc.flush();
  await agent.getTelemetryOffsets({ runId, attempt: 1 });
  await agent.getRun({ runId }).catch(() => undefined);
  await service.bus.nc.flush();
  expect(heard).toEqual([]);
  await user.getMetricHistory({ runId });
  await waitFor("the read to be told", () => heard.length === 1);
  const tail = user.tailRun({ runId }, { timeoutMs: 0 })[Symbol.asyncIterator]();
  await tail.next();
  const next = tail.next();
  await waitFor("the tail to be told, again and again", () => heard.length >= 3);
  await publishEvent(service.bus, scheduler.JobEndedSchema, job, { job: ended(job) });
  for (let update = await next; update.done !== true; ) update = await tail.next();
  const before = heard.length;
  await user.getMetricHistory({ runId });
  await service.bus.nc.flush();
  expect(heard).toHaveLength(before);
});

it("wakes who waits for a run at one replica when another has stored something of it, and not that other again", async () => {
  const { bus } = await startTracking({ start: false });
  const replica = async () => {
    const signals = createRunSignals();
    const noted: string[] = [];
    const noteChanged = (runId: string) => {
      noted.push(runId);
      signals.noteChanged(runId);
    };
    const part = followedRuns({ signals: { ...signals, noteChanged } }, bus);
    await part.start();
    onTestFinished(() => part.stop(AbortSignal.timeout(5_000)));
    return { signals, noted };
  };
  const [storing, reading] = [await replica(), await replica()];
  const { runId } = aJob();
  const listener = reading.signals.listen(runId);
  reading.signals.follow(runId);
  await waitFor("the storing one to hear of it", () => storing.signals.isFollowed(runId));
  // Longer than the test may last.
  const woken = listener.next(3_600_000, new AbortController().signal);
  storing.signals.raise(runId);
  await woken;
  listener.close();
  await bus.nc.flush();
  expect([storing.noted, reading.noted]).toEqual([[], [runId]]);
});
