import { expect, it } from "vitest";
import { mainFrames, stuckRank } from "./stuck-rank.ts";

const thread = (name: string, ...frames: string[]) =>
  [`${name} (most recent call first):`, ...frames.map((frame) => `  File ${frame}`), ""].join("\n");
const helper = thread("Thread 0x00007f01", '"/usr/lib/python3.12/threading.py", line 359 in wait');
const waiting =
  helper +
  thread(
    "Current thread 0x00007f02",
    '"/v/torch/distributed/distributed_c10d.py", line 2810 in all_reduce',
    '"/w/train.py", line 30 in main',
  );
const asleep = helper + thread("Current thread 0x00007f02", '"/w/train.py", line 27 in main');
const elsewhere =
  helper +
  thread(
    "Current thread 0x00007f02",
    '"/v/torch/distributed/distributed_c10d.py", line 4100 in barrier',
    '"/w/train.py", line 44 in main',
  );

it("reads the frames of the main thread, without line numbers, which move while a rank works", () => {
  expect(mainFrames(waiting)).toEqual([
    "/v/torch/distributed/distributed_c10d.py:all_reduce",
    "/w/train.py:main",
  ]);
  expect(mainFrames("")).toEqual([]);
});

it.each<[string, readonly string[], number]>([
  ["the one that is not in the collective where the others wait", [waiting, asleep, waiting], 1],
  ["of two also", [waiting, asleep], 1],
  ["the one that does not answer", [waiting, "", waiting], 1],
  ["the one in another collective than the rest", [waiting, waiting, elsewhere], 2],
  ["nobody when all wait in the same", [waiting, waiting, waiting], -1],
  ["nobody of two in different collectives: either may be wrong", [waiting, elsewhere], -1],
  ["nobody when several are elsewhere", [waiting, asleep, asleep], -1],
  ["a gang's only rank", [asleep], 0],
  ["nobody when nobody answers", ["", ""], -1],
])("names %s", (_whom, texts, stuck) => {
  expect(stuckRank(texts.map((text, rank) => ({ rank, text })))).toBe(stuck);
});
