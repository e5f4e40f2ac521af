import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { describe, expect, it } from "vitest";
import { requestHash, requestId } from "./request-id.ts";

describe("a request id", () => {
  it.each(["a", "req_01h455vb4pex5vsknk084sn02q", "x".repeat(128), "run:1/attempt#2"])(
    "may be %j",
    (text) => {
      expect(requestId(text)).toBe(text);
    },
  );

  it.each([
    ["", "REQUEST_ID_MISSING"],
    ["x".repeat(129), "REQUEST_ID_INVALID"],
    ["a b", "REQUEST_ID_INVALID"],
    ["a\n", "REQUEST_ID_INVALID"],
    ["ä", "REQUEST_ID_INVALID"],
  ])("may not be %j", (text, reason) => {
    expect(() => requestId(text)).toThrow(
      expect.objectContaining({
        code: "invalid_argument",
        reason,
        violations: [expect.objectContaining({ field: "request_id" })],
      }),
    );
  });
});

describe("a request's hash", () => {
  const request = (reason: string) =>
    create(scheduler.CancelJobRequestSchema, { requestId: "r", jobId: "job_1", reason });

  it("is the same for the same request and another for another", () => {
    expect(requestHash(request("late"))).toBe(requestHash(request("late")));
    expect(requestHash(request("late"))).not.toBe(requestHash(request("early")));
  });

  it("tells apart what JSON would not", () => {
    const hash = (value: unknown) =>
      requestHash({ $typeName: "x", value } as Parameters<typeof requestHash>[0]);
    const values = [1, 1n, "1", Number.NaN, null, new Uint8Array([1]), [1], { 1: 1 }, 0, -0];
    expect(new Set(values.map(hash)).size).toBe(values.length);
    expect(hash({ a: 1, b: 2 })).toBe(hash({ b: 2, a: 1 }));
  });
});
