import { describe, expect, it } from "vitest";
import { afterAttempt } from "./after-attempt.ts";
import { applyTransition } from "./apply-transition.ts";
import type { Attempt, EndedPart, PartOutcome, RankReport } from "./attempt.ts";
import type { Heartbeat, PartPhase } from "./heartbeat.ts";
import type { Job } from "./job.ts";
import { liveAttempt } from "./job.ts";
import { admit, place, requestCancel } from "./job-changes.ts";
import type { JobSpec } from "./job-spec.ts";
import { observe } from "./observe.ts";
import { notWaitedOn, type PartView, viewPart } from "./part-view.ts";
import { reaped } from "./reaped.ts";

const t0 = new Date("2026-01-01T00:00:00Z");
const at = (seconds: number) => new Date(t0.getTime() + seconds * 1000);

const spec: JobSpec = {
  name: "digits",
  queue: "default",
  priority: "normal",
  experiment: "digits",
  ranks: 2,
  slotsPerRank: 1,
  code: { digest: "a".repeat(64), sizeBytes: 1, gitCommit: "", dirtyDiffDigest: "" },
  entrypoint: ["train.py"],
  params: {},
  env: {},
  checkpoint: { everySteps: 0, keep: 3 },
  retries: 0,
  seed: 0,
  timeoutSeconds: 0,
  framework: "torch",
  inputs: [],
  labels: {},
  kind: "training",
  sourceYaml: "",
};

const queued = (more: Partial<Job> = {}): Job => ({
  id: "job_1",
  project: "default",
  spec,
  state: "queued",
  runId: "run_1",
  attempts: [],
  version: 1,
  createdBy: "user:ada",
  createdAt: t0,
  retriesUsed: { user: 0, infra: 0 },
  ...more,
});

const placements = [
  { nodeId: "n1", ranks: [0], slots: [0] },
  { nodeId: "n2", ranks: [1], slots: [0] },
];
const placed = (job = queued()): Job => place(admit(job, placements, at(1)).job, {}).job;

const alive = (rank: number, more: Partial<RankReport> = {}): RankReport => ({
  rank,
  lastStep: 3,
  startedAt: at(2),
  ...more,
});
const exited = (
  rank: number,
  exit: Partial<NonNullable<RankReport["exit"]>> = {},
  lastStep = 3,
): RankReport =>
  alive(rank, { lastStep, exit: { code: 0, signal: 0, at: at(5), order: 1, tracebackTail: "", ...exit } });

const over = (outcome: PartOutcome): PartView => ({ kind: "over", outcome });
const finalized = (...ranks: RankReport[]) => over({ kind: "finalized", ranks });
const running = (...ranks: RankReport[]): PartView => ({ kind: "alive", ranks });
const unheard: PartView = { kind: "unheard" };
const views = (n1: PartView, n2: PartView) =>
  new Map([
    ["n1", n1],
    ["n2", n2],
  ]);

/** The job after everything that these views mean, with the kinds of the steps and events on the way. */
function settle(job: Job, seen: ReadonlyMap<string, PartView>, now = at(10)) {
  const steps: string[] = [];
  const events: string[] = [];
  let current = job;
  for (let next = observe(current, seen, now); next !== undefined; next = observe(current, seen, now)) {
    const change = applyTransition(current, next, now);
    steps.push(next.kind);
    events.push(...change.events.map(({ kind }) => kind));
    expect(change.events.map((event) => event.job.version)).toEqual(
      change.events.map((_, index) => current.version + 1 + index),
    );
    current = change.job;
  }
  return { job: current, steps, events };
}

describe("observing an attempt", () => {
  const up = views(running(alive(0)), running(alive(1, { startedAt: at(4), firstStepAt: at(6) })));

  it("says nothing while ranks are missing", () => {
    expect(observe(placed(), views(running(alive(0)), unheard), at(3))).toBeUndefined();
  });

  it("starts the attempt when the last rank has started", () => {
    const { job, events } = settle(placed(), up);
    expect(job).toMatchObject({ state: "running", startedAt: at(4) });
    expect(liveAttempt(job)).toMatchObject({ state: "running", ranksStartedAt: at(4), firstStepAt: at(6) });
    expect(events).toEqual(["attempt-started"]);
  });

  it("passes every state of an attempt that was over before anyone looked", () => {
    const { job, steps, events } = settle(placed(), views(finalized(exited(0)), finalized(exited(1))));
    expect(job.state).toBe("succeeded");
    expect(steps).toEqual(["started", "end"]);
    expect(events).toEqual(["attempt-started", "attempt-ended", "ended"]);
  });

  it("waits for the other nodes while one is done", () => {
    const { job } = settle(settle(placed(), up).job, views(finalized(exited(0)), running(alive(1))));
    expect(liveAttempt(job)?.state).toBe("running");
    expect(liveAttempt(job)?.endedParts).toHaveLength(1);
  });

  it("stops the gang when a rank has failed, and ends it only when every part is over", () => {
    const first = settle(
      settle(placed(), up).job,
      views(running(exited(0, { signal: 9 })), running(alive(1))),
    );
    expect(liveAttempt(first.job)).toMatchObject({ state: "stopping", stopCause: "failure" });
    expect(first.job.state).toBe("running");
    const killed = views(finalized(exited(0, { signal: 9 })), finalized(exited(1, { code: 1, at: at(6) })));
    const { job, events } = settle(first.job, killed);
    expect(events).toEqual(["attempt-ended"]);
    expect(job).toMatchObject({
      state: "queued",
      failure: { reason: "RANK_KILLED", rank: 0 },
      notBefore: at(10),
    });
  });

  it("stops the gang when its survivors on one node save with those of the others, who may not know", () => {
    const saving: PartView = { kind: "alive", ranks: [alive(0)], handingOver: true };
    const { job } = settle(settle(placed(), up).job, views(saving, running(alive(1))));
    expect(liveAttempt(job)).toMatchObject({ state: "stopping", stopCause: "failure" });
  });

  it("leaves a gang that has failed its life while its ranks are asked where they are, unless somebody cancels it", () => {
    const { job } = settle(placed(), up);
    const failed = views(
      { kind: "alive", ranks: [exited(0, { code: 1 })], collectiveTimedOut: true },
      running(alive(1)),
    );
    expect(observe(job, failed, at(9), { asking: true })).toBeUndefined();
    const cancelled = requestCancel(job, "user:ada", "", at(3))?.job ?? job;
    expect(observe(cancelled, failed, at(9), { asking: true })).toMatchObject({ cause: "cancel" });
    expect(observe(job, failed, at(9))).toMatchObject({ kind: "stop", cause: "failure" });
  });

  it("looks for the rank that stayed away where nobody has waited in vain, once somebody has", () => {
    const attempt = liveAttempt(placed()) as Attempt;
    const waited: PartView = { kind: "alive", ranks: [alive(0)], collectiveTimedOut: true };
    const whereTo = (...seen: [PartView, PartView]) =>
      notWaitedOn(attempt, views(...seen)).map(({ nodeId }) => nodeId);
    expect(whereTo(running(alive(0)), running(alive(1)))).toEqual([]);
    expect(whereTo(waited, running(alive(1)))).toEqual(["n2"]);
    expect(whereTo(waited, { ...waited, ranks: [alive(1)] })).toEqual([]);
  });

  it.each<[string, PartView]>([
    ["its node is lost", over({ kind: "lost" })],
    ["its folder is gone", over({ kind: "gone" })],
    ["it failed to start", over({ kind: "failed-to-start", reason: "CODE_FETCH_FAILED", message: "404" })],
    ["it is over and a rank left no exit", finalized(alive(1))],
    ["it is over and tells of no rank", finalized()],
  ])("stops the gang when of a part %s", (_what, view) => {
    const { job } = settle(placed(), views(running(alive(0)), view), at(3));
    expect(liveAttempt(job)).toMatchObject({ state: "stopping", stopCause: "failure" });
  });

  it("remembers a part that is over although its report has ended", () => {
    const part: EndedPart = { nodeId: "n1", outcome: { kind: "finalized", ranks: [exited(0)] } };
    const attempt = { ...liveAttempt(placed()), endedParts: [part] } as Attempt;
    expect(viewPart("job_1", attempt, "n1", { state: "ready" }, undefined)).toEqual(finalized(exited(0)));
  });

  it("stops for a cancel, and ends an attempt at once that nobody was told of", () => {
    const cancel = (job: Job) => requestCancel(job, "user:ada", "", at(3))?.job ?? job;
    expect(observe(cancel(placed()), views(unheard, unheard), at(3))).toMatchObject({
      kind: "stop",
      cause: "cancel",
    });
    const opening = admit(queued(), placements, at(1)).job;
    expect(settle(cancel(opening), views(unheard, unheard)).job.state).toBe("cancelled");
  });

  it("stops a job that runs longer than its timeout, which is nobody's to retry", () => {
    const job = settle(placed(queued({ spec: { ...spec, timeoutSeconds: 60, retries: 5 } })), up).job;
    expect(observe(job, up, at(64))).toBeUndefined();
    const { job: stopped } = settle(job, up, at(65));
    expect(liveAttempt(stopped)?.stopCause).toBe("timeout");
    const ended = settle(
      stopped,
      views(finalized(exited(0, { signal: 15 })), finalized(exited(1, { signal: 15 }))),
    );
    expect(ended.job).toMatchObject({ state: "failed", failure: { reason: "TIMEOUT", class: "user" } });
  });

  it("keeps one traceback of each part, and nothing of the parts once the attempt has ended", () => {
    const both = finalized(
      exited(0, { code: 1, order: 2, tracebackTail: "second" }),
      exited(1, { code: 1, order: 1, tracebackTail: "first" }),
    );
    const one = admit(queued(), [{ nodeId: "n1", ranks: [0, 1], slots: [0, 1] }], at(1)).job;
    const { job } = settle(place(one, {}).job, new Map([["n1", both]]));
    expect(job.failure).toMatchObject({ rank: 1, tracebackTail: "first" });
    expect(JSON.stringify(job)).not.toContain("second");
    expect(job.attempts[0]?.endedParts).toEqual([]);
  });
});

describe("an attempt whose collective timed out", () => {
  const said =
    "RuntimeError: [../third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting 3000ms for recv operation to complete";
  const stack = (file: string) =>
    `Current thread 0x01 (most recent call first):\n  File "${file}", line 5 in f\n`;
  const waited = exited(0, {
    code: 1,
    tracebackTail: `Traceback (most recent call last):\n  File "x"\n${said}\n`,
  });
  const waiting = exited(1, { signal: 15, order: 2, tracebackTail: stack("torch/distributed/c10d.py") });
  const elsewhere = exited(2, { signal: 15, order: 3, tracebackTail: stack("train.py") });
  const failure = {
    class: "infra",
    reason: "COLLECTIVE_TIMEOUT",
    rank: 2,
    tracebackTail: stack("train.py"),
    message: `Rank 2 did not come to a collective, or to the meeting of the ranks, that rank 0 waited for: ${said}`,
  };

  it("tells who waited for what, and where the one was who did not come, though little is kept of each part", () => {
    const gang = admit(queued(), [{ nodeId: "n1", ranks: [0, 1, 2], slots: [0, 1, 2] }], at(1)).job;
    const { job } = settle(place(gang, {}).job, new Map([["n1", finalized(waited, waiting, elsewhere)]]));
    expect(job.attempts[0]?.failure ?? job.failure).toMatchObject(failure);
  });

  it("tells the same where they were on two nodes", () => {
    const gang = admit(
      queued(),
      [
        { nodeId: "n1", ranks: [0, 1], slots: [0, 1] },
        { nodeId: "n2", ranks: [2], slots: [0] },
      ],
      at(1),
    ).job;
    const seen = views(finalized(waited, waiting), finalized(elsewhere));
    const { job } = settle(place(gang, {}).job, seen);
    expect(job.attempts[0]?.failure ?? job.failure).toMatchObject({ ...failure, nodeId: "n2" });
  });
});

describe("what follows an attempt", () => {
  const attempt = (parts: readonly PartOutcome[], more: Partial<Attempt> = {}): Attempt => ({
    number: 1,
    state: "running",
    placements,
    admittedAt: t0,
    endedParts: parts.map((outcome, index) => ({ nodeId: `n${index + 1}`, outcome })),
    ...more,
  });
  const ranks = (...reports: RankReport[]): PartOutcome[] =>
    reports.map((report) => ({ kind: "finalized", ranks: [report] }));
  const job = (more: Partial<Job> = {}, retries = 0) => queued({ spec: { ...spec, retries }, ...more });

  it("is success when every rank exited with 0", () => {
    expect(afterAttempt(job(), attempt(ranks(exited(0), exited(1))))).toEqual({ kind: "succeed" });
  });

  it("blames the rank that failed first, not the survivors whose collective then raised", () => {
    const parts = ranks(exited(0, { code: 1, at: at(5.2) }), exited(1, { signal: 9, at: at(5.1) }));
    expect(afterAttempt(job(), attempt(parts))).toMatchObject({
      kind: "retry",
      afterMs: 0,
      failure: { class: "infra", reason: "RANK_KILLED", rank: 1, signal: 9 },
      retriesUsed: { user: 0, infra: 1 },
    });
  });

  it("tells the gang's step and the signal's name, although only rank 0 reports steps", () => {
    const killed = ranks(exited(0, { code: 1, at: at(6) }, 30), exited(1, { signal: 9 }, -1));
    expect(afterAttempt(job(), attempt(killed))).toMatchObject({
      failure: { message: "Rank 1 was killed by signal 9 (SIGKILL) at step 30.", step: 30 },
    });
    const early = ranks(exited(0, { signal: 34 }, -1), exited(1, {}, -1));
    expect(afterAttempt(job(), attempt(early))).toMatchObject({
      failure: { message: "Rank 0 was killed by signal 34 before its first step.", step: -1 },
    });
  });

  it("ends the sentence on the user's failure with the exception", () => {
    const tracebackTail =
      'Traceback (most recent call last):\n  File "train.py", line 9, in <module>\nValueError: bad value\n';
    const raised = ranks(exited(0, { at: at(6) }, 7), exited(1, { code: 1, tracebackTail }, -1));
    expect(afterAttempt(job(), attempt(raised))).toMatchObject({
      failure: { message: "Rank 1 exited with 1 at step 7: ValueError: bad value", tracebackTail },
    });
    const silent = ranks(exited(0, { code: 3 }, 7), exited(1));
    expect(afterAttempt(job(), attempt(silent))).toMatchObject({
      failure: { message: "Rank 0 exited with 3 at step 7." },
    });
  });

  it("blames a lost node before the survivors' exits, although they came first", () => {
    const parts: PartOutcome[] = [...ranks(exited(0, { code: 1 })), { kind: "lost" }];
    expect(afterAttempt(job(), attempt(parts))).toMatchObject({
      kind: "retry",
      failure: { reason: "NODE_LOST" },
    });
  });

  it("fails at once when the code failed before its first step, whatever retries are left", () => {
    const parts = ranks(exited(0, { code: 1 }, -1), exited(1, { code: 1, at: at(6) }, -1));
    expect(afterAttempt(job({}, 9), attempt(parts))).toMatchObject({
      kind: "fail",
      failure: { class: "user", reason: "RANK_EXITED", exitCode: 1, step: -1 },
    });
  });

  it("retries a failure of the user's code as often as the job asked", () => {
    const parts = ranks(exited(0, { code: 3 }), exited(1));
    expect(afterAttempt(job({}, 1), attempt(parts))).toMatchObject({
      kind: "retry",
      retriesUsed: { user: 1, infra: 0 },
    });
    const used = { user: 1, infra: 0 };
    expect(afterAttempt(job({ retriesUsed: used }, 1), attempt(parts)).kind).toBe("fail");
  });

  it("fails at once when the same exit comes at the same step twice in a row", () => {
    const parts = ranks(exited(0, { code: 3 }), exited(1));
    const before = afterAttempt(job({}, 9), attempt(parts));
    if (before.kind !== "retry") throw new Error("expected a retry first");
    const again = job({ attempts: [attempt([], { state: "ended", failure: before.failure })] }, 9);
    expect(afterAttempt(again, attempt(parts, { number: 2 })).kind).toBe("fail");
    const later = ranks(exited(0, { code: 3 }, 4), exited(1));
    expect(afterAttempt(again, attempt(later, { number: 2 })).kind).toBe("retry");
  });

  it.each([
    [11, "fail"],
    [9, "retry"],
  ])("treats signal %i at the same step twice as %s", (signal, kind) => {
    const parts = ranks(exited(0, { signal }), exited(1));
    const first = afterAttempt(job(), attempt(parts));
    if (first.kind !== "retry") throw new Error("expected a retry first");
    const again = job({ attempts: [attempt([], { state: "ended", failure: first.failure })] });
    expect(afterAttempt(again, attempt(parts, { number: 2 })).kind).toBe(kind);
  });

  it.each([
    ["DATA_FETCH_FAILED", "data"],
    ["CODE_FETCH_FAILED", "platform"],
    ["CHECKPOINT_FETCH_FAILED", "platform"],
    ["START_FAILED", "platform"],
    ["SOMETHING_NEW", "platform"],
  ])("says whose failure %s is: %s", (reason, failureClass) => {
    const parts: PartOutcome[] = [...ranks(exited(0)), { kind: "failed-to-start", reason, message: "no" }];
    expect(afterAttempt(job(), attempt(parts))).toMatchObject({ failure: { class: failureClass, reason } });
  });

  it("keeps a retried job's place and puts its wait into the job", () => {
    const before = job({ retriesUsed: { user: 0, infra: 1 } });
    const { job: after } = settle(
      placed(before),
      views(over({ kind: "lost" }), finalized(exited(1))),
      at(10),
    );
    expect(after).toMatchObject({
      state: "queued",
      createdAt: t0,
      notBefore: at(10),
      retriesUsed: { infra: 2 },
    });
  });
});

describe("a given-up attempt", () => {
  const unreaped = [{ jobId: "job_1", runId: "run_1", project: "default", attempt: 1 }];
  const heartbeat = (generation: number, phase?: PartPhase) =>
    ({
      applied: { epoch: 2, generation },
      parts:
        phase === undefined
          ? []
          : [{ jobId: "job_1", attempt: 1, phase, ranks: [], failureReason: "", failureMessage: "" }],
    }) as unknown as Heartbeat; // Only what the function reads.
  const since = () => ({ epoch: 2, generation: 5 });

  it.each<[string, Heartbeat, number]>([
    ["the order was not applied yet", heartbeat(4), 0],
    ["its ranks are still being stopped", heartbeat(5, "stopping"), 0],
    ["what it recorded is still being shipped", heartbeat(5, "flushing"), 0],
    ["it is finalized", heartbeat(5, "finalized"), 1],
    ["the node has nothing of it", heartbeat(6), 1],
  ])("is reaped or not when %s", (_when, beat, count) => {
    expect(reaped(unreaped, beat, since)).toHaveLength(count);
  });

  it("is not reaped before this leader has ordered it", () => {
    expect(reaped(unreaped, heartbeat(9), () => undefined)).toEqual([]);
  });
});
