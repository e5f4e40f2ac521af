import { describe, expect, it } from "vitest";
import { at, attemptOf, exited, jobWith, raising, ranks } from "../test-support/ended-attempts.ts";
import { afterAttempt } from "./after-attempt.ts";
import type { RankReport } from "./attempt.ts";

describe("whom a failure is blamed on", () => {
  const lostPeer = raising(
    "RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:41234",
  );

  const timedOut = raising(
    "RuntimeError: [../third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:84] Timed out waiting 4000ms for recv operation to complete",
  );
  const watchdog =
    "terminate called after throwing an instance of 'c10::DistBackendError'\n  what():  [Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7, OpType=ALLREDUCE)\n";
  const stackIn = (file: string, name: string) =>
    `Thread 0x00007f2b1c9ff740 (most recent call first):\n  File "${file}", line 5 in ${name}\n`;

  it.each<[string, RankReport, RankReport, object]>([
    [
      "the rank that raised by itself, although another's clock says it ended first",
      exited(0, { code: 1, at: at(4), tracebackTail: lostPeer }),
      exited(1, { code: 1, at: at(9), tracebackTail: raising("ValueError: bad") }),
      { rank: 1, class: "user", nodeId: "n2" },
    ],
    [
      "the killed rank and not the survivor, whatever the clocks say",
      exited(0, { code: 1, at: at(4), tracebackTail: lostPeer }),
      exited(1, { signal: 9, at: at(9) }),
      { rank: 1, class: "infra", reason: "RANK_KILLED", nodeId: "n2" },
    ],
    [
      "not the rank that the platform asked to end",
      exited(0, { signal: 15, at: at(4) }),
      exited(1, { code: 1, at: at(9), tracebackTail: raising("ValueError: bad") }),
      { rank: 1, reason: "RANK_EXITED" },
    ],
    [
      "the rank that somebody asked to end, when the others only missed it",
      exited(0, { code: 1, at: at(4), tracebackTail: lostPeer }),
      exited(1, { signal: 15, at: at(9) }),
      { rank: 1, reason: "RANK_KILLED", signal: 15 },
    ],
    [
      "the node whose disk is full, and not the code that wrote to it",
      exited(0, { code: 1, at: at(4), tracebackTail: lostPeer }),
      exited(1, {
        code: 1,
        at: at(9),
        tracebackTail: raising(
          "trainyard.checkpoint.CheckpointError: the last checkpoint could not be written: [Errno 28] No space left on device",
        ),
      }),
      { rank: 1, class: "infra", reason: "DISK_FULL", nodeId: "n2" },
    ],
    [
      "the node where Python could not write the end of its output, if the rank left no word of anything else",
      exited(0, { code: 1, at: at(9), tracebackTail: lostPeer }, -1),
      exited(1, { code: 120, at: at(4) }, -1),
      { rank: 1, class: "infra", reason: "OUTPUT_LOST", nodeId: "n2" },
    ],
    [
      "the code that raised, although Python could not write all of its output",
      exited(0, { code: 1, at: at(9), tracebackTail: lostPeer }),
      exited(1, { code: 120, at: at(4), tracebackTail: raising("ValueError: bad") }),
      { rank: 1, class: "user", reason: "RANK_EXITED" },
    ],
    [
      "the network, when every rank only missed the others",
      exited(0, { code: 1, at: at(4), tracebackTail: lostPeer }),
      exited(1, { code: 1, at: at(5), tracebackTail: lostPeer }),
      { class: "infra", reason: "PEERS_UNREACHABLE", rank: 0 },
    ],
    [
      "the network, when ranks of two nodes never met",
      exited(0, { code: 1, at: at(4), tracebackTail: lostPeer }, -1),
      exited(1, { code: 1, at: at(5), tracebackTail: lostPeer }, -1),
      { class: "infra", reason: "PEERS_UNREACHABLE", rank: 0, step: -1 },
    ],
    [
      "the code, when a rank ended well and left the others waiting for it",
      exited(0, { code: 1, at: at(4), tracebackTail: lostPeer }),
      exited(1, { at: at(3) }),
      { class: "user", reason: "RANK_EXITED", rank: 0 },
    ],
    [
      "the rank that stayed away from a collective, and not the one that waited until it timed out",
      exited(0, { code: 1, at: at(4), tracebackTail: timedOut }),
      exited(1, { signal: 15, at: at(9), tracebackTail: stackIn("train.py", "elsewhere") }),
      {
        class: "infra",
        reason: "COLLECTIVE_TIMEOUT",
        rank: 1,
        nodeId: "n2",
        tracebackTail: stackIn("train.py", "elsewhere"),
      },
    ],
    [
      "the rank that stayed away, though it had to be killed, or NCCL's watchdog spoke for the other",
      exited(0, { signal: 6, at: at(4), tracebackTail: watchdog }),
      exited(1, { signal: 9, at: at(19) }),
      { class: "infra", reason: "COLLECTIVE_TIMEOUT", rank: 1, tracebackTail: watchdog },
    ],
    [
      "the network, when every rank waited until it timed out",
      exited(0, { code: 1, at: at(4), tracebackTail: timedOut }),
      exited(1, { code: 1, at: at(5), tracebackTail: timedOut }),
      { class: "infra", reason: "PEERS_UNREACHABLE", rank: 0 },
    ],
    [
      "the job, when the kernel killed it for its memory",
      exited(0, { signal: 9, outOfMemory: true }),
      exited(1, { code: 1, at: at(9), tracebackTail: lostPeer }),
      { class: "user", reason: "OUT_OF_MEMORY", rank: 0, signal: 9 },
    ],
    [
      "the job, when its device's memory is used up",
      exited(0, { code: 1, tracebackTail: raising("torch.OutOfMemoryError: CUDA out of memory.") }),
      exited(1, { code: 1, at: at(9), tracebackTail: lostPeer }),
      { class: "user", reason: "OUT_OF_MEMORY", rank: 0 },
    ],
    [
      "the job, when an allocation failed",
      exited(0, { code: 1, tracebackTail: raising("MemoryError") }),
      exited(1, { code: 1, at: at(9), tracebackTail: lostPeer }),
      { class: "user", reason: "OUT_OF_MEMORY", rank: 0 },
    ],
    [
      "the job, when torch could not allocate",
      exited(0, {
        code: 1,
        tracebackTail: raising(
          "RuntimeError: [enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8000000000 bytes.",
        ),
      }),
      exited(1, { code: 1, at: at(9), tracebackTail: lostPeer }),
      { class: "user", reason: "OUT_OF_MEMORY", rank: 0 },
    ],
  ])("is %s", (_whom, first, second, failure) => {
    const verdict = afterAttempt(jobWith({ retries: 1 }), attemptOf(ranks(first, second)));
    expect(verdict).toMatchObject({ failure });
  });

  it("is the rank with a traceback of its own among eight, of which only the first four to end tell theirs", () => {
    const reports = Array.from({ length: 8 }, (_, rank) =>
      exited(rank, {
        code: 1,
        order: rank + 1,
        tracebackTail: rank < 3 ? lostPeer : rank === 3 ? raising("ValueError: bad") : "",
      }),
    );
    const one = attemptOf([{ kind: "finalized", ranks: reports }], {
      placements: [{ nodeId: "n1", ranks: reports.map(({ rank }) => rank), slots: [] }],
    });
    expect(afterAttempt(jobWith({ retries: 1 }), one)).toMatchObject({ failure: { rank: 3, class: "user" } });
  });
});

describe("a collective that timed out", () => {
  const timedOut = raising(
    "RuntimeError: [../third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:84] Timed out waiting 4000ms for recv operation to complete",
  );
  const stack = (file: string) => `Thread 0x01 (most recent call first):\n  File "${file}", line 5 in f\n`;
  const waiting = stack("torch/distributed/distributed_c10d.py");
  const ended = (tail: string) => ({ signal: 15, at: at(9), tracebackTail: tail });
  const failureOf = (...others: string[]) => {
    const reports = [
      exited(0, { code: 1, at: at(4), tracebackTail: timedOut }),
      ...others.map((tail, index) => exited(index + 1, ended(tail))),
    ];
    const attempt = attemptOf([{ kind: "finalized", ranks: reports }], {
      placements: [{ nodeId: "n1", ranks: reports.map(({ rank }) => rank), slots: [] }],
    });
    const verdict = afterAttempt(jobWith({}), attempt);
    return "failure" in verdict ? verdict.failure : undefined;
  };

  it("names the one rank that was elsewhere, among those that waited less long", () => {
    expect(failureOf(waiting, stack("train.py"), waiting)).toMatchObject({ rank: 2, nodeId: "n1" });
  });

  it("names all that may have stayed away where nothing tells who did", () => {
    const failure = failureOf("", waiting, "");
    expect(failure).toMatchObject({ reason: "COLLECTIVE_TIMEOUT", rank: -1, tracebackTail: timedOut });
    expect(failure?.message).toContain("One of ranks 1, 2, 3 did not come to a collective");
    expect(failure?.message).toContain("Timed out waiting 4000ms");
  });
});
