import { type Context, context, isSpanContextValid, type SpanContext, trace } from "@opentelemetry/api";

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * Reads a W3C `traceparent` (https://www.w3.org/TR/trace-context/). Anything malformed gives `undefined`: a broken
 * trace header never fails the call that carries it. Written out here, because the SDK's propagator does nothing in a
 * process that has not started the SDK, while a stored job's trace must be carried on there too.
 */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const match = text === undefined ? null : TRACEPARENT.exec(text);
  if (match === null) return undefined;
  const [, version, traceId = "", spanId = "", flags = "00", more] = match;
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  const parsed = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  return isSpanContextValid(parsed) ? parsed : undefined;
}

/** The `traceparent` that makes whoever gets it a child of this span. */
export function traceparentOf(span: SpanContext): string {
  return `00-${span.traceId}-${span.spanId}-${(span.traceFlags & 1).toString(16).padStart(2, "0")}`;
}

/** The current span as a `traceparent`, to be stored or sent; `undefined` outside a span. */
export function currentTraceparent(): string | undefined {
  const span = trace.getSpanContext(context.active());
  return span !== undefined && isSpanContextValid(span) ? traceparentOf(span) : undefined;
}

/** The current trace's id, as users quote it; `undefined` outside a span. */
export function currentTraceId(): string | undefined {
  return parseTraceparent(currentTraceparent())?.traceId;
}

/** A context whose current span is the remote one; the active context where there is no (valid) traceparent. */
export function contextFromTraceparent(traceparent: string | undefined): Context {
  const parent = parseTraceparent(traceparent);
  return parent === undefined ? context.active() : trace.setSpanContext(context.active(), parent);
}

/** Runs `fn` as part of the trace that the traceparent names; as it is, where there is none. */
export function withTraceparent<T>(traceparent: string | undefined, fn: () => T): T {
  return context.with(contextFromTraceparent(traceparent), fn);
}
