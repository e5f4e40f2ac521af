import { listDeadLetters, replayDeadLetter } from "@trainyard/bus";
import type { scheduler, tracking } from "@trainyard/contracts";
import { scheduler as schedulerContract, workeragent } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { waitFor } from "@trainyard/testing";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  aJob,
  aMetricBatch,
  ended,
  isTelemetryTaken,
  project,
  publishBundle,
  publishEvent,
  publishLog,
  publishMetrics,
  startTracking,
  type TestTracking,
  type TrackingClient,
} from "./test-service.ts";

let service: TestTracking;
let user: TrackingClient;
let agent: TrackingClient;
let leader: TrackingClient;
let job: scheduler.Job;

beforeAll(async () => {
  service = await startTracking();
  [user, agent, leader] = await Promise.all([
    service.as("user"),
    service.as("agent"),
    service.as("scheduler"),
  ]);
});

beforeEach(() => {
  job = aJob();
});

const open = (attempt: number) => leader.openAttempt({ runId: job.runId, jobId: job.id, attempt, project });
const ship = (first: number, last: number, attempt = 1, value?: (step: number) => number) =>
  publishMetrics(service.bus, aMetricBatch({ runId: job.runId, attempt }, [first, last], value));
const print = (begin: number, data: Uint8Array | string, attempt = 1) =>
  publishLog(service.bus, { runId: job.runId, attempt }, begin, typeof data === "string" ? utf8(data) : data);
const utf8 = (text: string) => new TextEncoder().encode(text);

async function stored(
  expected: Partial<Record<"records" | "stdout" | "stderr", bigint>> & { readonly rank?: number },
  attempt = 1,
) {
  await waitFor(`stored ${JSON.stringify(expected, (_, value) => String(value))}`, async () => {
    const { ranks } = await agent.getTelemetryOffsets({ runId: job.runId, attempt });
    expect(ranks[0]).toMatchObject(expected);
    return true;
  });
}

async function steps(): Promise<number[]> {
  const { points } = await user.getMetricHistory({ runId: job.runId });
  return points.map(({ step }) => Number(step));
}

/** Whether tracking has taken everything from the stream, stored or not. */
const isDelivered = () => isTelemetryTaken(service.bus, { acknowledged: false });

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

async function endJob(): Promise<void> {
  await publishEvent(service.bus, schedulerContract.JobEndedSchema, job, { job: ended(job) });
}

async function lines(request: Partial<tracking.ReadLogsRequest> = {}): Promise<string[]> {
  const read: string[] = [];
  for await (const answer of user.readLogs({ runId: job.runId, ...withoutType(request) }))
    read.push(...answer.lines);
  return read;
}

function withoutType({ follow = false, tailLines = 0 }: Partial<tracking.ReadLogsRequest>) {
  return { follow, tailLines };
}

describe("metric batches", () => {
  it("are stored once each, however often, in whatever order and cut they come", async () => {
    await open(1);
    await ship(11, 20);
    await ship(31, 40);
    await stored({ records: 0n });
    await ship(1, 15);
    await ship(1, 15);
    await stored({ records: 200n });
    await ship(5, 35);
    await ship(11, 20);
    await stored({ records: 400n });
    expect(await steps()).toEqual(upTo(40));
  });

  it("keep NaN and infinities", async () => {
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0];
    await open(1);
    await ship(1, 4, 1, (step) => odd[step - 1] ?? 0);
    await stored({ records: 40n });
    const { points } = await user.getMetricHistory({ runId: job.runId });
    expect(points.map(({ value }) => value)).toEqual(odd);
  });

  it("are in the next answer once they have been delivered, though nobody was waiting for them", async () => {
    await open(1);
    for (const first of [1, 6, 11]) {
      await ship(first, first + 4);
      await waitFor("the batch to have been delivered", isDelivered);
      expect(await steps()).toEqual(upTo(first + 4));
    }
  });

  it("of a run that is not known yet are there when it is", async () => {
    await ship(1, 5);
    await stored({ records: 50n });
    await open(1);
    expect(await steps()).toEqual(upTo(5));
  });

  it("of a fenced attempt count up to the checkpoint that was resumed from, whenever they come", async () => {
    await open(1);
    await ship(1, 5);
    const { digest } = await service.blobs.put(utf8("weights"));
    await agent.reportCheckpointPart({
      requestId: newId("req"),
      runId: job.runId,
      attempt: 1,
      step: 10n,
      worldSize: 1,
      part: { rank: 0, files: [{ path: "w", digest, sizeBytes: 7n }], recordsOffset: 100n },
    });
    await open(2);
    await publishMetrics(
      service.bus,
      aMetricBatch({ runId: job.runId, attempt: 2 }, [1, 5], (index) => 200 + index, "other"),
    );
    await stored({ records: 50n }, 2);
    expect(await steps()).toEqual([...upTo(5), ...upTo(5)]);
    await ship(6, 20);
    await stored({ records: 200n });
    const { points } = await user.getMetricHistory({ runId: job.runId, keys: ["loss"] });
    expect(points.map(({ step }) => Number(step))).toEqual(upTo(10));
    const { run } = await user.getRun({ runId: job.runId });
    expect(run?.metrics.loss).toMatchObject({ count: 10n, lastStep: 10n });
    expect(run?.metrics.other).toMatchObject({ count: 5n });
  });

  it("of what nodes measured are stored once, have a place of their own, and stay whatever attempt follows", async () => {
    await open(1);
    const sample = (first: number, last: number, attempt = 1) =>
      publishMetrics(
        service.bus,
        aMetricBatch(
          { runId: job.runId, attempt, rank: 1 },
          [first, last],
          undefined,
          "trainyard/rank/cpu_percent",
        ),
        "samples",
      );
    await publishMetrics(service.bus, aMetricBatch({ runId: job.runId, attempt: 1, rank: 1 }, [1, 3]));
    await sample(1, 4);
    await sample(3, 6);
    await sample(5, 6);
    await stored({ rank: 1, records: 30n });
    const measured = async (rank?: number) => {
      const wanted = { runId: job.runId, keys: ["trainyard/rank/cpu_percent"] };
      const { points } = await user.getMetricHistory({ ...wanted, ...(rank === undefined ? {} : { rank }) });
      return points.map((point) => [point.attempt, point.rank, Number(point.step)]);
    };
    const first = upTo(6).map((step) => [1, 1, step]);
    await waitFor("the samples", async () => (await measured()).length === first.length);
    expect(await measured()).toEqual(first);
    await open(2);
    await sample(1, 2, 2);
    await waitFor("the second attempt's", async () => (await measured()).length === 8);
    expect(await measured(1)).toEqual(
      [...first, [2, 1, 1], [2, 1, 2]].sort(([a = 0, , x = 0], [b = 0, , y = 0]) => x - y || a - b),
    );
    const { run } = await user.getRun({ runId: job.runId });
    expect(run?.metrics["trainyard/rank/cpu_percent"]).toMatchObject({ count: 8n, max: 6 });
    expect(run?.metrics.loss).toBeUndefined();
  });

  it("are cut by a limit at the same step for every metric", async () => {
    await open(1);
    await ship(1, 100);
    await stored({ records: 1000n });
    const { points, truncated } = await user.getMetricHistory({ runId: job.runId, maxPoints: 7 });
    expect(points.map(({ step }) => Number(step))).toEqual(upTo(7));
    expect(truncated).toBe(true);
  });

  it("of a bundle are each stored, also beside one that can never be", async () => {
    await open(1);
    const of = (rank: number) => ({ ...aMetricBatch({ runId: job.runId, attempt: 1 }, [1, 3]), rank });
    const parts: workeragent.TelemetryPart["batch"][] = [
      { case: "metrics", value: of(0) },
      { case: "metrics", value: { ...of(1), steps: [1n] } },
      { case: "metrics", value: { ...of(2), runId: newId("run") } },
      { case: undefined },
      { case: "metrics", value: of(-1) },
      { case: "metrics", value: of(4) },
    ];
    await publishBundle(service.bus, { runId: job.runId, attempt: 1 }, parts);
    await stored({ records: 30n, rank: 0 });
    const [letter] = await waitFor("the dead letter", async () => {
      const found = await listDeadLetters(service.bus);
      const own = found.filter(({ subject }) => subject.includes(job.runId));
      return own.length > 0 && own;
    });
    expect(letter?.reason.replaceAll(/run_\w+/g, "RUN")).toBe(
      "parts[1]: its columns differ in length; parts[2]: it says RUN/1/2, its subject says otherwise; " +
        "parts[3]: it is neither metrics nor logs; parts[4]: rank -1 is not from 0 to 4095 (MAX_WORLD_SIZE)",
    );
    const { ranks } = await agent.getTelemetryOffsets({ runId: job.runId, attempt: 1 });
    expect(ranks.map(({ rank, records }) => [rank, records])).toEqual([
      [0, 30n],
      [4, 30n],
    ]);
  });

  it("that can never be stored become dead letters and stop no other", async () => {
    await open(1);
    const subject = `telemetry.${project}.${job.runId}.1.0.metrics`;
    await service.bus.publish(subject, utf8("no protobuf"), { msgId: newId("evt") });
    await publishMetrics(service.bus, {
      ...aMetricBatch({ runId: job.runId, attempt: 1 }, [1, 3]),
      steps: [1n],
    });
    await ship(1, 3);
    await stored({ records: 30n });
    // A letter's subject names the run's partition, too.
    const lettersOfRun = async () => {
      const found = await listDeadLetters(service.bus);
      return found.filter((letter) => letter.subject.endsWith(subject.slice("telemetry".length)));
    };
    const letters = await waitFor("two dead letters", async () => {
      const found = await lettersOfRun();
      return found.length === 2 && found;
    });
    expect(letters.map((letter) => letter.reason).sort()).toEqual([
      "its columns differ in length",
      "not a trainyard.workeragent.v1.MetricBatch",
    ]);
    expect(await steps()).toEqual([1, 2, 3]);
    const [again] = letters;
    await replayDeadLetter(service.bus, again?.id ?? "");
    await waitFor("the replayed one to be taken again", async () => {
      const ids = (await lettersOfRun()).map(({ id }) => id);
      return ids.length === 2 && !ids.includes(again?.id ?? "");
    });
  });
});

describe("a tail", () => {
  it("sends the last point of each key, then each new visible point once, then the ended run", async () => {
    await publishEvent(service.bus, schedulerContract.JobSubmittedSchema, job, { job });
    await open(1);
    await ship(1, 10);
    await stored({ records: 100n });
    const received: number[] = [];
    let status: tracking.RunStatus | undefined;
    const following = (async () => {
      for await (const { points, run } of user.tailRun({ runId: job.runId }, { timeoutMs: 0 })) {
        received.push(...points.map(({ step }) => Number(step)));
        status = run?.status ?? status;
      }
    })();
    await waitFor("the last point", () => received.length === 1);
    await ship(16, 20);
    await ship(8, 15);
    await waitFor("the new points", () => received.length === 11);
    await endJob();
    await following;
    expect([...received].sort((a, b) => a - b)).toEqual([10, ...upTo(20).slice(10)]);
    expect(status).toBe(3);
  });

  it("pushes a point as it is stored, without waiting for the next poll", async () => {
    await open(1);
    const arrivals: number[] = [];
    const stop = new AbortController();
    const following = (async () => {
      for await (const { points } of user.tailRun(
        { runId: job.runId },
        { signal: stop.signal, timeoutMs: 0 },
      )) {
        if (points.length > 0) arrivals.push(performance.now());
      }
    })().catch(() => undefined);
    const waits: number[] = [];
    for (let step = 1; step <= 20; step++) {
      await ship(step, step);
      const published = performance.now();
      await waitFor(`point ${step}`, () => arrivals.length === step, { intervalMs: 2 });
      waits.push((arrivals.at(-1) ?? 0) - published);
    }
    stop.abort();
    await following;
    // A poll comes a quarter of a second after the point before; a busy machine holds up some of the points, not all.
    expect(Math.min(...waits)).toBeLessThan(150);
  });
});

describe("a rank's output", () => {
  it("is read as whole lines, though lines and characters were cut and pieces came twice and late", async () => {
    const all = utf8("eins größe 🚂\nzwei\n\nvier");
    await open(1);
    await print(14, all.subarray(14));
    await print(0, all.subarray(0, 9));
    await stored({ stdout: 9n });
    expect(await lines()).toEqual([]);
    await print(5, all.subarray(5, 16));
    await print(0, all.subarray(0, 9));
    await stored({ stdout: BigInt(all.length) });
    expect(await lines()).toEqual(["eins größe 🚂", "zwei", ""]);
    await publishEvent(service.bus, schedulerContract.JobSubmittedSchema, job, { job });
    await endJob();
    await waitFor("its last line", async () => (await lines()).length === 4);
    expect((await lines()).at(-1)).toBe("vier");
  });

  it("is followed until the run has ended, beginning with its last lines", async () => {
    await publishEvent(service.bus, schedulerContract.JobSubmittedSchema, job, { job });
    await open(1);
    await print(0, "a\nb\nc\n");
    await stored({ stdout: 6n });
    const read: string[] = [];
    const following = (async () => {
      const follow = { runId: job.id, follow: true, tailLines: 2 };
      for await (const answer of user.readLogs(follow, { timeoutMs: 0 })) {
        read.push(...answer.lines);
      }
    })();
    await waitFor("the last lines", () => read.length === 2);
    await print(6, "d\ne");
    await waitFor("the next line", () => read.length === 3);
    await endJob();
    await following;
    expect(read).toEqual(["b", "c", "d", "e"]);
  });

  it("keeps both ends of what is over the limit, and says how much is missing between them", async () => {
    await publishEvent(service.bus, schedulerContract.JobSubmittedSchema, job, { job });
    await open(1);
    const MiB = 1024 * 1024;
    const block = (letter: string) => `${letter.repeat(MiB / 2 - 1)}\n`;
    // 4 MiB are kept: of 6, the batches that lie wholly in the third and fourth go.
    for (const [index, letter] of [..."abcdefghijkl"].entries())
      await print((index * MiB) / 2, block(letter));
    await stored({ stdout: BigInt(6 * MiB) });
    const firsts = async () =>
      (await lines()).map((line) => (line.startsWith("[") ? line : line.slice(0, 1)));
    const missing =
      "[trainyard: 2097152 bytes left out here, only the beginning and the end of a long output are kept]";
    await waitFor("the middle to go", async () => {
      expect(await firsts()).toEqual([..."abcd", missing, ..."ijkl"]);
      return true;
    });
    // What an agent leaves out itself is stored as a range, so that it need not come again; nothing waits for it.
    await publishLog(
      service.bus,
      { runId: job.runId, attempt: 1 },
      6 * MiB,
      new Uint8Array(),
      undefined,
      1000,
    );
    await print(6 * MiB + 1000, "end\n");
    await stored({ stdout: BigInt(6 * MiB + 1004) });
    expect((await lines({ follow: false })).slice(-2)).toEqual([missing.replace("2097152", "1000"), "end"]);
    await endJob();
  });

  it("is told apart by stream and attempt, with offsets", async () => {
    await open(1);
    await print(0, "one\n");
    await publishLog(
      service.bus,
      { runId: job.runId, attempt: 1 },
      0,
      utf8("warn\n"),
      workeragent.LogStream.STDERR,
    );
    await open(2);
    await print(0, "two\nthree\n", 2);
    await stored({ stdout: 4n, stderr: 5n });
    await stored({ stdout: 10n }, 2);
    const read: unknown[] = [];
    for await (const { attempt, stream, offset, lines } of user.readLogs({ runId: job.runId })) {
      read.push([attempt, stream, Number(offset), lines]);
    }
    expect(read).toEqual([
      [1, workeragent.LogStream.STDOUT, 0, ["one"]],
      [1, workeragent.LogStream.STDERR, 0, ["warn"]],
      [2, workeragent.LogStream.STDOUT, 0, ["two", "three"]],
    ]);
  });
});
