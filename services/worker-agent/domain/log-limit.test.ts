import { describe, expect, it } from "vitest";
import { HEAD_BYTES, KEPT_BACKLOG_BYTES, leftOut, MAX_BACKLOG_BYTES } from "./log-limit.ts";

describe("what is left out of an output", () => {
  it.each([
    ["nothing of an empty one", 0, 0, 0],
    ["nothing of its beginning, however far it is ahead", HEAD_BYTES - 1, 10 ** 12, 0],
    ["nothing while the backlog can be caught up with", HEAD_BYTES, HEAD_BYTES + MAX_BACKLOG_BYTES, 0],
    [
      "all but its end when it cannot",
      HEAD_BYTES,
      HEAD_BYTES + MAX_BACKLOG_BYTES + 1,
      MAX_BACKLOG_BYTES + 1 - KEPT_BACKLOG_BYTES,
    ],
    ["nothing of a file that was cut", HEAD_BYTES, 0, 0],
  ])("%s", (_, position, size, expected) => {
    expect(leftOut({ position, size })).toBe(expected);
  });
});
