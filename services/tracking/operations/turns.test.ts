import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createTurns } from "./turns.ts";

describe("changes", () => {
  it("of one thing run one after the other, in the order of their calls, and those of another beside them", async () => {
    const { take } = createTurns();
    const told: string[] = [];
    const change = (of: string, name: string) =>
      take(of, async () => {
        told.push(`${name} begins`);
        await delay(5);
        told.push(`${name} ends`);
        return name;
      });
    const all = [change("run a", "1"), change("run a", "2"), change("run b", "3")];
    expect(await Promise.all(all)).toEqual(["1", "2", "3"]);
    expect(told.filter((word) => !word.startsWith("3"))).toEqual([
      "1 begins",
      "1 ends",
      "2 begins",
      "2 ends",
    ]);
    expect(told.indexOf("3 begins")).toBeLessThan(told.indexOf("1 ends"));
  });

  it("that fail let the next one through", async () => {
    const { take } = createTurns();
    const failing = take("run", () => Promise.reject(new Error("no")));
    const next = take("run", async () => "done");
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe("done");
  });

  it("do not wait for ever for one that hangs", async () => {
    const { take } = createTurns(20);
    const { promise: never, resolve } = Promise.withResolvers<void>();
    const hanging = take("run", () => never);
    expect(await take("run", async () => "done")).toBe("done");
    resolve();
    await hanging;
  });
});
