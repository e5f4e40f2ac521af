import { describe, expect, it } from "vitest";
import {
  at,
  attemptOf,
  ended,
  exited,
  jobWith,
  raising,
  ranks,
  specWith,
} from "../test-support/ended-attempts.ts";
import { afterAttempt } from "./after-attempt.ts";
import type { PartOutcome } from "./attempt.ts";
import type { Failure, FailureClass } from "./failure.ts";
import { failurePolicies, MAX_RETRY_BACKOFF_MS, retryBudget, retryDelayMs } from "./failure-policy.ts";
import { failureStreak } from "./failure-streak.ts";

describe("retries by class", () => {
  const failing: Readonly<Record<Exclude<FailureClass, "preempted">, PartOutcome[]>> = {
    user: ranks(exited(0, { code: 3 }), exited(1)),
    infra: [...ranks(exited(0)), { kind: "lost" }],
    platform: [
      ...ranks(exited(0)),
      { kind: "failed-to-start", reason: "CODE_FETCH_FAILED", message: "404." },
    ],
    data: [...ranks(exited(0)), { kind: "failed-to-start", reason: "DATA_FETCH_FAILED", message: "404." }],
  };

  it.each(Object.entries(failing) as [Exclude<FailureClass, "preempted">, PartOutcome[]][])(
    "%s spends its own budget, which the job may set, and no other",
    (failureClass, parts) => {
      const spec = failureClass === "user" ? { retries: 2 } : { retries: 9, budgets: { [failureClass]: 2 } };
      let job = jobWith(spec);
      for (let used = 1; used <= 2; used++) {
        const verdict = afterAttempt(job, attemptOf(parts));
        if (verdict.kind !== "retry") throw new Error(`expected a retry, got ${verdict.kind}`);
        expect(verdict.retriesUsed).toEqual({ user: 0, infra: 0, [failureClass]: used });
        job = jobWith(spec, { retriesUsed: verdict.retriesUsed });
      }
      const last = afterAttempt(job, attemptOf(parts));
      expect(last).toMatchObject({ kind: "fail", failure: { class: failureClass } });
      expect(last.kind === "fail" && last.failure.message).toContain("The 2 retries");
    },
  );

  it("gives each class a budget where the job says nothing, and the user's retries to nobody else", () => {
    const spec = specWith({ retries: 4 });
    expect(
      (Object.keys(failurePolicies) as FailureClass[]).map((each) => [each, retryBudget(spec, each)]),
    ).toEqual([
      ["user", 4],
      ["infra", 20],
      ["preempted", 1000],
      ["platform", 20],
      ["data", 5],
    ]);
  });

  it.each<[FailureClass, readonly number[]]>([
    ["infra", [0, 1000, 2000, 4000]],
    ["platform", [0, 1000, 2000, 4000]],
    ["user", [1000, 2000, 4000, 8000]],
    ["data", [1000, 2000, 4000, 8000]],
    ["preempted", [0, 0, 0, 0]],
  ])(
    "lets the next attempt after %s failures wait %j ms, and never longer than the cap",
    (failureClass, waits) => {
      expect([0, 1, 2, 3].map((streak) => retryDelayMs(failureClass, streak))).toEqual(waits);
      expect(retryDelayMs(failureClass, 1_000)).toBe(failureClass === "preempted" ? 0 : MAX_RETRY_BACKOFF_MS);
    },
  );

  it.each<[string, readonly (readonly [FailureClass, number])[], number]>([
    ["the first failure", [["infra", 5]], 0],
    [
      "no step further than before",
      [
        ["infra", 5],
        ["infra", 5],
        ["user", 3],
      ],
      2,
    ],
    [
      "a step further: the row begins anew",
      [
        ["infra", 5],
        ["infra", 5],
        ["infra", 6],
      ],
      0,
    ],
    [
      "further once, then stuck there",
      [
        ["infra", 5],
        ["infra", 9],
        ["infra", 9],
        ["infra", 9],
      ],
      2,
    ],
    [
      "it gave way in between: that is no failure",
      [
        ["infra", 5],
        ["preempted", 5],
        ["infra", 5],
      ],
      1,
    ],
    [
      "training between two failures was ended by giving way",
      [
        ["infra", 5],
        ["preempted", 50],
        ["infra", 50],
      ],
      1,
    ],
    [
      "never a step",
      [
        ["data", -1],
        ["data", -1],
        ["data", -1],
      ],
      2,
    ],
  ])("counts a row of failures: %s", (_what, history, streak) => {
    const failures = history.map(([failureClass, step]) => ({ failure: { class: failureClass, step } }));
    const last = failures.at(-1)?.failure;
    if (last === undefined) throw new Error("a history without a failure");
    expect(failureStreak(failures.slice(0, -1), last)).toBe(streak);
  });

  it("starts at once again after progress, however many failures there were", () => {
    const earlier = [1, 2, 3].map((number) => ended(number, { ...someInfra, step: 7 }));
    const stuck = afterAttempt(jobWith({}, { attempts: earlier }), attemptOf(failing.infra, { number: 4 }));
    expect(stuck).toMatchObject({ kind: "retry", afterMs: 4000 });
    const further = [...ranks(exited(0, {}, 8)), { kind: "lost" } as const];
    const moved = afterAttempt(jobWith({}, { attempts: earlier }), attemptOf(further, { number: 4 }));
    expect(moved).toMatchObject({ kind: "retry", afterMs: 0 });
  });
});

const someInfra: Failure = {
  class: "infra",
  reason: "NODE_LOST",
  message: "",
  rank: -1,
  exitCode: 0,
  signal: 0,
  tracebackTail: "",
  step: 7,
};

describe("hopeless retries", () => {
  const failingWith = (line: string, step: number) =>
    ranks(exited(0, { code: 1, tracebackTail: raising(line) }, step), exited(1, {}, step));

  /** What follows when this comes after an attempt that ended with that. */
  function twice(first: readonly PartOutcome[], second: readonly PartOutcome[]) {
    const before = afterAttempt(jobWith({ retries: 9 }), attemptOf(first));
    if (before.kind !== "retry") throw new Error(`expected a retry first, got ${before.kind}`);
    const job = jobWith({ retries: 9 }, { attempts: [ended(1, before.failure)] });
    return afterAttempt(job, attemptOf(second, { number: 2 }));
  }

  it("are refused when the same error came at the same step, naming both attempts", () => {
    const verdict = twice(
      failingWith("ValueError: bad row 17 at 0x7f12", 40),
      failingWith("ValueError: bad row 18 at 0x7fab", 40),
    );
    expect(verdict).toMatchObject({
      kind: "fail",
      failure: { class: "user", reason: "REPEATED_ERROR", step: 40, rank: 0 },
    });
    expect(verdict.kind === "fail" && verdict.failure.message).toBe(
      "Attempts 1 and 2 failed in the same way at step 40, so a retry would too. Rank 0 exited with 1 at step 40: ValueError: bad row 18 at 0x7fab",
    );
  });

  it.each([
    ["another exception", failingWith("KeyError: 'x'", 40)],
    ["another step", failingWith("ValueError: bad row 17", 41)],
    [
      "another exit code",
      ranks(exited(0, { code: 2, tracebackTail: raising("ValueError: bad row 17") }, 40), exited(1)),
    ],
  ])("are tried when it was %s", (_what, second) => {
    expect(twice(failingWith("ValueError: bad row 17", 40), second).kind).toBe("retry");
  });

  it("are seen through an attempt that gave way in between", () => {
    const first = afterAttempt(jobWith({ retries: 9 }), attemptOf(failingWith("ValueError: bad", 40)));
    if (first.kind !== "retry") throw new Error("expected a retry");
    const moved = { ...someInfra, class: "preempted", reason: "NODE_DRAINED", step: 12 } as const;
    const job = jobWith({ retries: 9 }, { attempts: [ended(1, first.failure), ended(2, moved)] });
    expect(afterAttempt(job, attemptOf(failingWith("ValueError: bad", 40), { number: 3 }))).toMatchObject({
      failure: { reason: "REPEATED_ERROR" },
    });
  });

  it.each([
    "ModuleNotFoundError: No module named 'digits'",
    "SyntaxError: invalid syntax",
    "ImportError: cannot import name 'x'",
  ])("are refused for code that cannot be loaded, also late in the training: %s", (line) => {
    const verdict = afterAttempt(jobWith({ retries: 9 }), attemptOf(failingWith(line, 40)));
    expect(verdict).toMatchObject({ kind: "fail", failure: { reason: "RANK_EXITED" } });
    expect(verdict.kind === "fail" && verdict.failure.message).toContain("cannot be loaded");
  });

  it("are not assumed when a job that has trained before fails before its next step", () => {
    const early = ranks(
      exited(0, { code: 1, tracebackTail: raising("OSError: disk") }, -1),
      exited(1, {}, -1),
    );
    const trained = { ...ended(1, someInfra), firstStepAt: at(3) };
    expect(
      afterAttempt(jobWith({ retries: 9 }, { attempts: [trained] }), attemptOf(early, { number: 2 })).kind,
    ).toBe("retry");
    expect(afterAttempt(jobWith({ retries: 9 }), attemptOf(early)).kind).toBe("fail");
  });
});

describe("what the platform stopped", () => {
  const stopped = ranks(exited(0, { signal: 15 }), exited(1, { code: 1 }));
  const yielding = {
    checkpointStep: 12,
    askedAt: at(3),
    deadlineAt: at(9),
    why: "Node n1 is being drained by user:ada.",
  };

  it.each([
    [
      "drain",
      {
        kind: "retry",
        afterMs: 0,
        failure: { class: "preempted", reason: "NODE_DRAINED", message: yielding.why },
      },
    ],
    ["grow", { kind: "retry", afterMs: 0, failure: { class: "preempted", reason: "GANG_RESIZED" } }],
    ["idle", { kind: "fail", failure: { class: "user", reason: "IDLE" } }],
  ] as const)("for %s is told by that, and not by how its ranks took the signal", (cause, verdict) => {
    const attempt = attemptOf(stopped, { stopCause: "yield", yielding: { ...yielding, cause } });
    expect(afterAttempt(jobWith({}), attempt)).toMatchObject(verdict);
  });

  it("has succeeded when its ranks ended well all the same", () => {
    const attempt = attemptOf(ranks(exited(0), exited(1)), {
      stopCause: "yield",
      yielding: { ...yielding, cause: "drain" },
    });
    expect(afterAttempt(jobWith({}), attempt)).toEqual({ kind: "succeed" });
  });

  it("because it hung is a machine's failure that names the rank and says where it was", () => {
    const hung = { rank: 1, step: 7, silentMs: 12_300, limitMs: 10_000, stack: "Thread 1:\n  File x" };
    const verdict = afterAttempt(jobWith({}), attemptOf(stopped, { stopCause: "hung", hung }));
    expect(verdict).toMatchObject({
      kind: "retry",
      failure: { class: "infra", reason: "HUNG", rank: 1, step: 7, nodeId: "n2", tracebackTail: hung.stack },
    });
    expect(verdict.kind === "retry" && verdict.failure.message).toContain(
      "no step for 12 s after step 7 (limit 10 s)",
    );
  });

  it("because a metric was NaN fails and names metric, step and rank, the earliest of several", () => {
    const parts: PartOutcome[] = [
      {
        kind: "finalized",
        ranks: [exited(0, { signal: 15 })],
        nonFinite: { key: "loss", step: 9, rank: 0, value: "NaN" },
      },
      {
        kind: "finalized",
        ranks: [exited(1)],
        nonFinite: { key: "grad", step: 8, rank: 1, value: "Infinity" },
      },
    ];
    expect(
      afterAttempt(jobWith({ retries: 9 }), attemptOf(parts, { stopCause: "non-finite" })),
    ).toMatchObject({
      kind: "fail",
      failure: {
        class: "user",
        reason: "NON_FINITE_METRIC",
        metricKey: "grad",
        step: 8,
        rank: 1,
        nodeId: "n2",
      },
    });
  });

  it("because a metric was NaN fails also when every rank had ended well by then", () => {
    const [first, second] = ranks(exited(0), exited(1));
    const halted = { ...first, nonFinite: { key: "loss", step: 9, rank: 0, value: "NaN" } } as PartOutcome;
    expect(afterAttempt(jobWith({}), attemptOf([halted, second as PartOutcome])).kind).toBe("fail");
  });
});
