import { describe, expect, it } from "vitest";
import { exceptionLine } from "./exception-line.ts";

const traceback = (raised: string) =>
  `Traceback (most recent call last):\n  File "train.py", line 3, in <module>\n    main()\n    ~~~~^^\n${raised}\n`;

describe("the exception line", () => {
  it.each([
    ["is the line after the frames", traceback("ValueError: no such column"), "ValueError: no such column"],
    ["needs no message", traceback("KeyboardInterrupt"), "KeyboardInterrupt"],
    [
      "is the first line of a message of several",
      traceback("RuntimeError: shapes differ\nLook:\nhere"),
      "RuntimeError: shapes differ",
    ],
    [
      "is of the last of a chain",
      `${traceback("KeyError: 'a'")}\nDuring handling of the above exception, another exception occurred:\n\n${traceback("app.BadInput: a is missing")}`,
      "app.BadInput: a is missing",
    ],
    [
      "is found when the head of the traceback was cut off",
      '  File "x.py", line 1\n    f()\ntorch.OutOfMemoryError: CUDA out of memory\n[rank1] bye\n',
      "torch.OutOfMemoryError: CUDA out of memory",
    ],
    [
      "may be a program's own last word about an error",
      "usage: train.py\ntrain.py: error: unrecognized arguments: --x\n",
      "train.py: error: unrecognized arguments: --x",
    ],
    ["is missing where nothing says so", "epoch 3\nloss 0.4\n", undefined],
    ["is missing where nothing is said", "", undefined],
  ])("%s", (_what, tail, expected) => {
    expect(exceptionLine(tail)).toBe(expected);
  });

  it("is cut where it would not fit into a sentence", () => {
    const line = exceptionLine(traceback(`ValueError: ${"é".repeat(1000)}`));
    expect([...(line ?? "")]).toHaveLength(300);
    expect(line?.endsWith("é…")).toBe(true);
  });
});
