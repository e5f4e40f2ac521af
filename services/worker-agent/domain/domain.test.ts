import { crc32 } from "node:zlib";
import { readFrame } from "@trainyard/rank-file";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { phaseAfter, phaseFromSpool } from "./attempt-phase.ts";
import { backoffMs } from "./backoff.ts";
import { bundleProblem } from "./bundle-guard.ts";
import { receive } from "./desired-order.ts";
import { tracebackFrom } from "./error-file.ts";
import { exitFrom, startFrom } from "./exit-record.ts";
import { inputPathProblem } from "./placed-path.ts";
import { shimEnvironment } from "./rank-environment.ts";
import { parseRankRecord, RecordError } from "./rank-record.ts";
import { utf8Tail } from "./utf8-tail.ts";

describe("an attempt's phase", () => {
  it("ignores what is late: ranks that start after a stop was asked stay being stopped", () => {
    expect(phaseAfter("stopping", "ranks_started")).toBe("stopping");
    expect(phaseAfter("finalized", "rank_failed")).toBe("finalized");
  });

  const nothing = {
    prepared: false,
    failed: false,
    stopAsked: false,
    ranksStarted: false,
    rankFailed: false,
    ranksEnded: false,
    confirmed: false,
  };
  it.each([
    ["starting when it was prepared", { prepared: true }, "starting"],
    ["running when its ranks had started", { prepared: true, ranksStarted: true }, "running"],
    ["stopping when that was asked before anything started", { stopAsked: true }, "stopping"],
    [
      "flushing when its ranks had ended",
      { prepared: true, ranksStarted: true, ranksEnded: true },
      "flushing",
    ],
    ["failed when it had failed", { failed: true }, "failed_to_start"],
    ["finalized when all was confirmed", { stopAsked: true, ranksEnded: true, confirmed: true }, "finalized"],
  ])("goes on as %s", (_name, facts, phase) => {
    expect(phaseFromSpool({ ...nothing, ...facts })).toBe(phase);
  });
});

describe("a desired state", () => {
  const state = { epoch: 3n, generation: 7n, protocolVersion: 1, nodeId: "n" };
  it.each([
    ["the first", state, undefined, "apply"],
    ["the same again", state, { epoch: 3n, generation: 7n }, "apply"],
    ["an older generation", state, { epoch: 3n, generation: 8n }, "older"],
    ["an older epoch with a higher generation", state, { epoch: 4n, generation: 1n }, "older"],
    ["a newer epoch with a lower generation", state, { epoch: 2n, generation: 99n }, "apply"],
    ["another node's", { ...state, nodeId: "m" }, undefined, "other_node"],
    ["another protocol's", { ...state, protocolVersion: 2 }, undefined, "unknown_protocol"],
  ])("%s is received rightly", (_name, read, applied, reception) => {
    expect(receive(read, "n", applied)).toBe(reception);
  });
});

describe("a code bundle's entries", () => {
  const file = (path: string) => ({ path, type: "File", sizeBytes: 1 });
  const link = (path: string, linkPath: string) => ({ path, type: "SymbolicLink", linkPath, sizeBytes: 0 });
  it.each([
    ["plain files and folders", [file("a/b.py"), { path: "a/", type: "Directory", sizeBytes: 0 }], undefined],
    ["a link beside", [file("a/b.py"), link("a/c.py", "b.py"), link("x/y", "../a/b.py")], undefined],
    ["..", [file("a/../../b")], '".."'],
    ["an absolute path", [file("/etc/passwd")], "not a relative path"],
    ["a link out", [link("a/b", "../../x")], "outside the bundle"],
    ["a link to an absolute path", [link("a", "/etc")], "outside the bundle"],
    [
      "a link that climbs after going down through another",
      [link("a", "."), link("b", "a/..")],
      "outside the bundle",
    ],
    ["a file below a link", [link("a", "b"), file("a/x")], "below the link"],
    ["a hard link", [{ path: "a", type: "Link", linkPath: "b", sizeBytes: 0 }], "is a Link"],
    ["a device", [{ path: "a", type: "CharacterDevice", sizeBytes: 0 }], "is a CharacterDevice"],
    ["a control character", [file("a\u0007b")], "control character"],
    ["a long path", [file("a".repeat(600))], "longer than"],
  ])("with %s", (_name, entries, problem) => {
    if (problem === undefined) expect(bundleProblem(entries)).toBeUndefined();
    else expect(bundleProblem(entries)).toContain(problem);
  });
});

describe("what ranks write", () => {
  it("never makes reading a frame fail, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
        const frame = new Uint8Array(8 + body.length);
        const view = new DataView(frame.buffer);
        view.setUint32(0, body.length, true);
        view.setUint32(4, crc32(body), true);
        frame.set(body, 8);
        expect(readFrame(frame, 5, crc32).kind).toBe(body.length === 0 ? "torn" : "frame");
        expect(["more", "torn", "frame"]).toContain(readFrame(body, 0, crc32).kind);
      }),
    );
  });

  it("is torn where the checksum or the length is wrong, and wants more where it is short", () => {
    const frame = Buffer.concat([Buffer.from([2, 0, 0, 0]), Buffer.alloc(4), Buffer.from([2, 65])]);
    frame.writeUInt32LE(crc32(frame.subarray(8)), 4);
    expect(readFrame(frame, 0, crc32)).toMatchObject({
      kind: "frame",
      frame: { content: { kind: "object", json: "A" } },
    });
    expect(readFrame(frame.subarray(0, 9), 0, crc32)).toEqual({ kind: "more", bytes: 10 });
    expect(readFrame(Buffer.concat([frame.subarray(0, 9), Buffer.from([66])]), 0, crc32).kind).toBe("torn");
    expect(readFrame(Buffer.alloc(16, 0xff), 0, crc32).kind).toBe("torn");
  });

  it("is a record or a RecordError, whatever the JSON", () => {
    const kinds = fc.constantFrom(
      "first_step",
      "checkpoint",
      "artifact",
      "model",
      "params",
      "tags",
      "note",
      "recovery",
      "handover",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.tuple(kinds, fc.object()).map(([kind, rest]) => JSON.stringify({ ...rest, kind })),
        ),
        (json) => {
          try {
            parseRankRecord(json);
          } catch (error) {
            expect(error).toBeInstanceOf(RecordError);
          }
        },
      ),
    );
  });

  it("in an exit record becomes a code or a signal, never both, and anything else is none", () => {
    expect(exitFrom({ code: 137, signal: 9, at: 2, order: 1 })).toEqual({
      code: 0,
      signal: 9,
      atMs: 2000,
      order: 1,
    });
    expect(exitFrom({ code: 3, signal: null, at: 2, order: 1 })).toEqual({
      code: 3,
      signal: 0,
      atMs: 2000,
      order: 1,
    });
    expect([exitFrom(undefined), exitFrom([]), exitFrom({ code: "0" })]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(startFrom({ pid: 1, startTicks: 5, bootId: "b", at: 1 })).toBeUndefined();
  });

  it("as a traceback is cut to its end at a whole character", () => {
    const callstack = `Traceback\n${"é".repeat(4000)}\nValueError: x`;
    const json = JSON.stringify({
      message: { message: "ValueError: x", extraInfo: { py_callstack: callstack } },
    });
    const tail = tracebackFrom(json) ?? "";
    expect(tail.endsWith("é\nValueError: x")).toBe(true);
    expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(4096);
    expect(tail).not.toContain("\ufffd");
    expect(tracebackFrom("{")).toBeUndefined();
  });

  it("keeps to its bytes when cut, also where it is no UTF-8", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: 1, max: 64 }), (bytes, most) => {
        expect(Buffer.byteLength(utf8Tail(bytes, most))).toBeLessThanOrEqual(most);
      }),
    );
  });
});

describe("the environment that the shim inherits", () => {
  it("holds none of the agent's settings or secrets", () => {
    const agent = {
      PATH: "/bin",
      NCCL_DEBUG: "INFO",
      TRAINYARD_NATS_SEED_FILE: "/s",
      AWS_SECRET_ACCESS_KEY: "k",
      HTTPS_PROXY: "u:p@h",
    };
    expect(shimEnvironment(agent, "/sdk")).toEqual({
      PATH: "/bin",
      PYTHONHASHSEED: "0",
      NCCL_DEBUG: "INFO",
      PYTHONPATH: "/sdk",
    });
  });
});

it("an input may not replace what the platform keeps in the attempt's directory", () => {
  expect(
    ["spec.json", "rank-0/started.json", "work/train.py", "../x", "assignment.bin"].map(inputPathProblem),
  ).not.toContain(undefined);
  expect(inputPathProblem("inputs/model/model.pt2")).toBeUndefined();
});

it("waits double with each failure, up to the maximum, less a random quarter", () => {
  const backoff = { firstMs: 100, maxMs: 1000 };
  expect([1, 2, 3, 4, 5, 100].map((failures) => backoffMs(backoff, failures, 0))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
  expect(backoffMs(backoff, 1, 0.999)).toBe(75);
});
