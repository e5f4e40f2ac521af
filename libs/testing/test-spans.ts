import { startTelemetry } from "@trainyard/telemetry";

/** A span that has ended. */
export interface TestSpan {
  readonly name: string;
  readonly traceId: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const ended: TestSpan[] = [];

/** The spans that have ended in this test file so far. */
export function testSpans(): readonly TestSpan[] {
  return ended;
}

/** Starts telemetry that keeps its spans: one for the process, as everywhere, so test files that share a process share it. */
export async function startTestTelemetry(): Promise<void> {
  await startTelemetry({
    service: "test",
    env: {},
    spanProcessors: [
      {
        onStart: () => undefined,
        onEnd: (span) => {
          const { name, attributes } = span;
          ended.push({ name, traceId: span.spanContext().traceId, attributes });
        },
        forceFlush: async () => undefined,
        shutdown: async () => undefined,
      },
    ],
  });
}

/** Forgets the spans of the file that has ended. */
export function forgetTestSpans(): void {
  ended.length = 0;
}
