import { describe, expect, it } from "vitest";
import {
  isSameSlowness,
  type Look,
  newlySlow,
  nothingSlow,
  type SlowWatch,
  slownessOf,
  slowWatchAfter,
  slowWatchOf,
} from "./slowness.ts";

interface Timing {
  readonly compute: number;
  readonly data?: number;
  readonly seconds?: number;
  readonly phase?: string;
}

const start = Date.UTC(2026, 0, 1);

function look(atMs: number, timings: readonly (Timing | undefined)[]): Look {
  return {
    nowMs: atMs,
    now: new Date(start + atMs),
    afterMs: 30_000,
    ranks: timings.map((timing, rank) => ({
      rank,
      nodeId: `node-${rank}`,
      lastStep: 5,
      ...(timing?.phase === undefined ? {} : { phase: timing.phase }),
      ...(timing === undefined
        ? {}
        : {
            timing: {
              seconds: timing.seconds ?? 1,
              dataSeconds: timing.data ?? 0,
              computeSeconds: timing.compute,
              communicationSeconds: 0,
              checkpointSeconds: 0,
            },
          }),
    })),
  };
}

/** Looks at the same gang each second. */
function watched(
  seconds: number,
  timings: readonly (Timing | undefined)[],
  before: SlowWatch = nothingSlow,
  from = 0,
) {
  let watch = before;
  for (let at = from; at <= from + seconds; at += 1) watch = slowWatchAfter(watch, look(at * 1000, timings));
  return watch;
}

const slowRanks = (watch: SlowWatch) => ({
  stragglers: (slownessOf(watch)?.stragglers ?? []).map(({ rank }) => rank),
  stalls: (slownessOf(watch)?.dataStalls ?? []).map(({ rank }) => rank),
});

describe("slowness", () => {
  it.each<[string, readonly (Timing | undefined)[], number[], number[]]>([
    [
      "nothing in a gang whose ranks are alike",
      [{ compute: 0.5 }, { compute: 0.52 }, { compute: 0.49 }],
      [],
      [],
    ],
    [
      "a rank that computes half as long again as the others",
      [{ compute: 0.5 }, { compute: 0.8 }, { compute: 0.5 }],
      [1],
      [],
    ],
    ["the slower of two", [{ compute: 0.1 }, { compute: 0.2 }], [1], []],
    ["two of four", [{ compute: 1 }, { compute: 1 }, { compute: 3 }, { compute: 3 }], [2, 3], []],
    ["nobody where steps differ by microseconds", [{ compute: 0.0001 }, { compute: 0.003 }], [], []],
    ["nobody in a gang of one", [{ compute: 9 }], [], []],
    ["nobody while the rank evaluates", [{ compute: 1 }, { compute: 9, phase: "evaluation" }], [], []],
    ["nobody that tells no timing", [undefined, { compute: 9 }, undefined], [], []],
    [
      "ranks that wait for data a fifth of the time",
      [
        { compute: 0.7, data: 0.2 },
        { compute: 0.7, data: 0.1 },
      ],
      [],
      [0],
    ],
  ])("finds %s", (_what, timings, stragglers, stalls) => {
    expect(slowRanks(watched(29, timings))).toEqual({ stragglers: [], stalls: [] });
    expect(slowRanks(watched(30, timings))).toEqual({ stragglers, stalls });
  });

  it("tells the figures, the node and the first moment", () => {
    expect(slownessOf(watched(40, [{ compute: 0.5 }, { compute: 2 }]))?.stragglers).toEqual([
      { rank: 1, nodeId: "node-1", computeSeconds: 2, medianSeconds: 0.5, since: new Date(start) },
    ]);
  });

  it("begins anew after one look at which the rank was not slow", () => {
    const slow = [{ compute: 1 }, { compute: 2 }];
    const once = watched(0, [{ compute: 1 }, { compute: 1 }], watched(20, slow), 21);
    expect(slowRanks(watched(20, slow, once, 22)).stragglers).toEqual([]);
    expect(slowRanks(watched(30, slow, once, 22)).stragglers).toEqual([1]);
  });

  it("keeps what counts until it is clearly over", () => {
    const found = watched(30, [{ compute: 1 }, { compute: 2, data: 0.3 }]);
    const less = watched(1, [{ compute: 1 }, { compute: 1.3, data: 0.15 }], found, 31);
    expect(slowRanks(less)).toEqual({ stragglers: [1], stalls: [1] });
    expect(isSameSlowness(slownessOf(found), slownessOf(less))).toBe(true);
    expect(slownessOf(watched(0, [{ compute: 1 }, { compute: 1.1, data: 0.05 }], less, 33))).toBeUndefined();
  });

  it("is known to a new leader at once, and is no news to it", () => {
    const found = slownessOf(watched(30, [{ compute: 1 }, { compute: 2 }]));
    const taken = slowWatchAfter(
      slowWatchOf(found, 40_000),
      look(40_000, [{ compute: 1 }, { compute: 1.3 }]),
    );
    expect(isSameSlowness(found, slownessOf(taken))).toBe(true);
  });

  it("is news for the ranks that were not slow before", () => {
    const one = slownessOf(watched(30, [{ compute: 1 }, { compute: 1 }, { compute: 2 }]));
    const two = slownessOf(
      watched(61, [{ compute: 1 }, { compute: 1 }, { compute: 2 }, { compute: 2, data: 0.5 }]),
    );
    if (two === undefined) throw new Error("two are slow");
    expect(isSameSlowness(one, two)).toBe(false);
    const news = newlySlow(one, two);
    expect(news.stragglers.map(({ rank }) => rank)).toEqual([3]);
    expect(news.dataStalls.map(({ rank }) => rank)).toEqual([3]);
  });
});
