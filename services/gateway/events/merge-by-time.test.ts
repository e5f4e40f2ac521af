import { describe, expect, it } from "vitest";
import { mergeByTime, type Step } from "./merge-by-time.ts";

const item = (at: number): Step<number> => ({ kind: "item", at, value: at });
const idle: Step<number> = { kind: "idle" };

async function* of(...steps: readonly Step<number>[]): AsyncGenerator<Step<number>> {
  for (const step of steps) yield step;
}

/** A source that says what it is told to, when it is told to. */
function controlled() {
  const queue: Step<number>[] = [];
  let wake = Promise.withResolvers<void>();
  let ended = false;
  return {
    say(...steps: readonly Step<number>[]) {
      queue.push(...steps);
      wake.resolve();
    },
    end() {
      ended = true;
      wake.resolve();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        for (let step = queue.shift(); step !== undefined; step = queue.shift()) yield step;
        if (ended) return;
        await wake.promise;
        wake = Promise.withResolvers();
      }
    },
  };
}

describe("merging by time", () => {
  it("gives the history of all sources oldest first, and ends with the last", async () => {
    const merged = mergeByTime([of(item(1), item(4), item(5)), of(), of(item(2), item(3), item(9))]);
    const all: number[] = [];
    for await (const value of merged) all.push(value);
    expect(all).toEqual([1, 2, 3, 4, 5, 9]);
  });

  it("waits for a slow source that still has history", async () => {
    const slow = controlled();
    const merged = mergeByTime([of(item(5), idle), slow]);
    const first = merged.next();
    slow.say(item(1), idle);
    expect((await first).value).toBe(1);
    expect((await merged.next()).value).toBe(5);
    slow.end();
    expect((await merged.next()).done).toBe(true);
  });

  it("waits for nobody who is idle", async () => {
    const quiet = controlled();
    quiet.say(idle);
    const live = controlled();
    const merged = mergeByTime([quiet, live]);
    live.say(idle, item(7), idle);
    expect((await merged.next()).value).toBe(7);
    quiet.say(item(3), idle);
    expect((await merged.next()).value).toBe(3);
    quiet.end();
    live.end();
    expect((await merged.next()).done).toBe(true);
  });

  it("throws what a source throws, also while nobody waits, and ends the others", async () => {
    let returned = false;
    async function* other(): AsyncGenerator<Step<number>> {
      try {
        yield item(1);
        yield item(2);
        yield item(3);
      } finally {
        returned = true;
      }
    }
    async function* failing(): AsyncGenerator<Step<number>> {
      yield idle;
      throw new Error("the bus is gone");
    }
    const merged = mergeByTime([other(), failing()]);
    const all = async () => {
      for await (const _ of merged) await new Promise((resolve) => setImmediate(resolve));
    };
    await expect(all()).rejects.toThrow("the bus is gone");
    expect(returned).toBe(true);
  });
});
