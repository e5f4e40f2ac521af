import { trace } from "@opentelemetry/api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  contextFromTraceparent,
  createLogger,
  currentTraceId,
  currentTraceparent,
  parseTraceparent,
  recordSpan,
  startTelemetry,
  type Telemetry,
  traceparentOf,
  withSpan,
  withTraceparent,
} from "./index.ts";

interface EndedSpan {
  readonly name: string;
  readonly parentSpanContext?: { readonly spanId: string };
  readonly attributes: Record<string, unknown>;
  readonly status: { readonly code: number; readonly message?: string };
  spanContext(): { readonly traceId: string; readonly spanId: string };
}

const ended: EndedSpan[] = [];
let telemetry: Telemetry;

const REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

beforeAll(async () => {
  telemetry = await startTelemetry({
    service: "test",
    env: {},
    spanProcessors: [
      {
        onStart: () => undefined,
        onEnd: (span) => void ended.push(span),
        forceFlush: () => Promise.resolve(),
        shutdown: () => Promise.reject(new Error("collector is away")),
      },
    ],
  });
});

afterAll(() => telemetry.shutdown());

describe("traceparent", () => {
  it.each([
    undefined,
    "",
    "garbage",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    `${REMOTE}-more`,
  ])("ignores %j", (text) => {
    expect(parseTraceparent(text)).toBeUndefined();
    expect(withTraceparent(text, currentTraceparent)).toBeUndefined();
  });

  it("is given on as it came", () => {
    expect(withTraceparent(REMOTE, currentTraceparent)).toBe(REMOTE);
    expect(trace.getSpanContext(contextFromTraceparent(REMOTE))?.isRemote).toBe(true);
  });

  it("keeps the decision not to sample", () => {
    const unsampled = REMOTE.replace(/01$/, "00");
    expect(withTraceparent(unsampled, currentTraceparent)).toBe(unsampled);
  });
});

describe("spans", () => {
  it("nest through asynchronous work and name their component", async () => {
    const inner = await withSpan("scheduler", "submit", { parent: REMOTE }, async (outer) => {
      await Promise.resolve();
      return await withSpan("tracking", "open attempt", {}, (span) => ({ outer, span }));
    });
    const byName = (name: string) => ended.find((span) => span.name === name);
    expect(byName("submit")?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
    expect(byName("submit")?.attributes["service.component"]).toBe("scheduler");
    expect(byName("open attempt")?.attributes["service.component"]).toBe("tracking");
    expect(byName("open attempt")?.parentSpanContext?.spanId).toBe(inner.outer.spanContext().spanId);
    expect(traceparentOf(inner.span.spanContext())).toContain("0af7651916cd43dd8448eb211c80319c");
  });

  it("record what was thrown and pass it on", async () => {
    const failure = new Error("no such node");
    await expect(withSpan("scheduler", "fails", {}, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(ended.find((span) => span.name === "fails")?.status).toEqual({ code: 2, message: "no such node" });
  });

  it("begin a new trace when asked to, whatever is current", async () => {
    const ids = await withSpan("a", "outer", {}, async () => [
      currentTraceId(),
      await withSpan("a", "root", { root: true }, () => currentTraceId()),
    ]);
    expect(ids[0]).toBeDefined();
    expect(ids[1]).not.toBe(ids[0]);
  });

  it("of things that happened elsewhere hang under their parent, and without one are left out", () => {
    recordSpan("first step", { parent: REMOTE, startTime: 1_000, endTime: 2_000 });
    recordSpan("orphan", { parent: undefined, startTime: 1_000, endTime: 2_000 });
    expect(ended.find((span) => span.name === "first step")?.spanContext().traceId).toBe(
      "0af7651916cd43dd8448eb211c80319c",
    );
    expect(ended.find((span) => span.name === "orphan")).toBeUndefined();
  });

  it("give their ids to log lines", async () => {
    const lines: string[] = [];
    const logger = createLogger({ service: "x", destination: { write: (line) => void lines.push(line) } });
    const id = await withSpan("x", "y", {}, () => {
      logger.info("inside");
      return currentTraceId();
    });
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ trace_id: id });
  });
});

describe("telemetry", () => {
  it("is started once per process", async () => {
    expect(await startTelemetry({ service: "another" })).toBe(telemetry);
  });

  it("shuts down quietly although the collector is away", async () => {
    await expect(telemetry.shutdown()).resolves.toBeUndefined();
  });
});
