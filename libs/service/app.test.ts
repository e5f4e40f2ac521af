import { createLogger } from "@trainyard/telemetry";
import { describe, expect, it } from "vitest";
import { createApp } from "./app.ts";
import { createHealth } from "./health.ts";
import type { Part } from "./part.ts";

const logger = createLogger({ service: "test", level: "silent" });

/** A part that writes down what is asked of it, and fails or hangs where told to. */
function part(
  name: string,
  log: string[],
  does: { start?: () => Promise<void>; stop?: () => Promise<void> } = {},
): Part {
  return {
    name,
    async start() {
      log.push(`start ${name}`);
      await does.start?.();
    },
    async stop() {
      log.push(`stop ${name}`);
      await does.stop?.();
    },
  };
}

const fail = () => Promise.reject(new Error("broken"));

describe("an app", () => {
  it("starts its parts in order and stops them in the reverse order, once", async () => {
    const log: string[] = [];
    const health = createHealth();
    const app = createApp({
      name: "x",
      logger,
      health,
      parts: ["a", "b", "c"].map((name) => part(name, log)),
    });
    await app.start();
    expect((await health.readiness()).ready).toBe(true);
    await Promise.all([app.stop(), app.stop()]);
    expect(log).toEqual(["start a", "start b", "start c", "stop c", "stop b", "stop a"]);
    expect((await health.readiness()).ready).toBe(false);
  });

  it("stops what has started when a part cannot start, and names that part", async () => {
    const log: string[] = [];
    const app = createApp({
      name: "x",
      logger,
      parts: [part("a", log), part("b", log, { start: fail }), part("c", log)],
    });
    await expect(app.start()).rejects.toThrow("x: starting b failed");
    expect(log).toEqual(["start a", "start b", "stop b", "stop a"]);
  });

  it("stops the others although one fails and one hangs, and tells of both", async () => {
    const log: string[] = [];
    const hang = () => new Promise<void>(() => undefined);
    const app = createApp({
      name: "x",
      logger,
      stopTimeoutMs: 50,
      parts: [part("a", log), part("b", log, { stop: hang }), part("c", log, { stop: fail })],
    });
    await app.start();
    const error = await app.stop().catch((caught: unknown) => caught);
    expect(log.slice(3)).toEqual(["stop c", "stop b", "stop a"]);
    expect(error).toBeInstanceOf(AggregateError);
    expect(String((error as AggregateError).errors)).toMatch(/stopping c failed.*stopping b failed/);
  });
});
