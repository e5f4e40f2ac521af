import { hearFollowed } from "@trainyard/bus";
import { scheduler } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import { expect, it, onTestFinished } from "vitest";
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
